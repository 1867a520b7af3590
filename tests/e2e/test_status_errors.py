"""What makes a tunnel impossible: said with its cause, closed meanwhile, undone by `restore`, over when its cause is."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from support.fingerprint import differences, fingerprint
from support.scene import Scene
from support.topology import ETH0, GATEWAY4
from support.until import until


@contextlib.contextmanager
def no_tun_device(scene: Scene) -> Iterator[None]:
    """/dev/net is empty, as in a container that wasn't given the device."""
    scene.lab.client.run("mount -t tmpfs tmpfs /dev/net")
    try:
        yield
    finally:
        scene.lab.client.run("umount /dev/net")


@contextlib.contextmanager
def name_taken(scene: Scene) -> Iterator[None]:
    """Another program's interface is called slopn0."""
    scene.lab.client.ip(
        "link add slopn0 type veth peer name other0\naddr add 192.0.2.200/32 dev slopn0\nlink set slopn0 up"
    )
    try:
        yield
    finally:
        scene.lab.client.ip("link del slopn0")


@contextlib.contextmanager
def device_taken(scene: Scene) -> Iterator[None]:
    """A TUN device called slopn0 that outlives the program that made it: anybody may open it."""
    scene.lab.client.ip("tuntap add dev slopn0 mode tun\naddr add 192.0.2.200/32 dev slopn0\nlink set slopn0 up")
    try:
        yield
    finally:
        scene.lab.client.ip("tuntap del dev slopn0 mode tun")


@contextlib.contextmanager
def resolv_conf_read_only(scene: Scene) -> Iterator[None]:
    """The file is a read-only mount, as containers have it."""
    scene.lab.client.run("mount --bind /etc/resolv.conf /etc/resolv.conf; mount -o remount,bind,ro /etc/resolv.conf")
    try:
        yield
    finally:
        scene.lab.client.run("umount /etc/resolv.conf")


Trouble = Callable[[Scene], AbstractContextManager[None]]
TROUBLES: list[tuple[Trouble, str]] = [
    (no_tun_device, "tun_device"),
    (name_taken, "tun_device"),
    (device_taken, "tun_device"),
    (resolv_conf_read_only, "host"),
]
_each = pytest.mark.parametrize(("trouble", "cause"), TROUBLES, ids=[trouble.__name__ for trouble, _ in TROUBLES])


@pytest.mark.leak
@_each
def test_an_error_is_closed_and_passes(scene: Scene, trouble: Trouble, cause: str) -> None:
    """`connect --wait` fails with the cause; nothing leaks until the tunnel is up, by itself, once the cause is gone."""
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        with trouble(scene):
            scene.slopn("connect", "lab", "--wait", "20", status=1)
            scene.capture.reset()
            status = scene.wait_state("error")
            assert (status["cause"], status["blocking"], status["policy"]) == (cause, True, "blocked")
            assert scene.leaks(generator).total == 0
        scene.wait_state("connected", 30.0)
        until(lambda: scene.visitor() == GATEWAY4, 10.0, "the tunnel carries traffic")
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"


@_each
def test_restore_after_an_error(scene: Scene, trouble: Trouble, cause: str) -> None:
    """All of ours is undone, the trouble itself left as it is, and traffic goes out directly."""
    with trouble(scene):
        before = fingerprint(scene.lab.client)
        scene.slopn("connect", "lab", "--wait", "20", status=1)
        assert scene.wait_state("error")["cause"] == cause
        done = scene.helper.restore()
        assert (done.returncode, done.stderr) == (0, "")
        assert differences(before, fingerprint(scene.lab.client)) == []
        assert scene.visitor() == ETH0.client4


_WITHOUT_LIBNFTABLES = """
from pathlib import Path
from slopn_helper.host import libnftables

real = libnftables._library

def library():
    if Path({folder!r}).is_dir():
        raise OSError("libnftables.so.1: cannot open shared object file")
    return real()

libnftables._library = library
"""


@contextlib.contextmanager
def no_nftables(scene: Scene) -> Iterator[None]:
    """The helper is started anew, or killed and started, where libnftables isn't installed."""
    folder = scene.lab.dir / "no-nftables"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_WITHOUT_LIBNFTABLES.format(folder=str(folder)), encoding="utf-8")
    scene.helper.kill()
    scene.helper._env["PYTHONPATH"] = str(folder)
    try:
        scene.helper.start()
        yield
    finally:
        del scene.helper._env["PYTHONPATH"]
        shutil.rmtree(folder)


def test_no_firewall_on_an_open_host(scene: Scene) -> None:
    """Nothing can be held back: that is said loudly, no tunnel is claimed; with nftables there it connects by itself."""
    with no_nftables(scene):
        scene.slopn("connect", "lab", "--wait", "20", status=1)
        status = scene.wait_state("error")
        assert (status["cause"], status["blocking"]) == ("firewall", False)
        assert "firewall_refused" in {found["code"] for found in status["warnings"] if found["severity"] == "error"}
        assert scene.visitor() == ETH0.client4
        assert "not held back" in scene.slopn("status").stdout
    assert scene.wait_state("connected", 30.0)["policy"] == "tunnelled"
    assert scene.visitor() == GATEWAY4


@pytest.mark.leak
def test_no_firewall_on_a_closed_host(scene: Scene) -> None:
    """What an earlier helper closed stays closed, and `restore` says that it couldn't open it, as long as it can't."""
    before = fingerprint(scene.lab.client)
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        with no_nftables(scene):
            status = scene.wait_state("error")
            assert status["cause"] == "firewall"
            assert scene.leaks(generator).total == 0
            done = scene.helper.restore()
            assert done.returncode == 1
            assert "libnftables1" in done.stderr
            tally = scene.leaks(generator)
            assert tally.total == 0, f"{tally} {tally.samples}"
    assert scene.helper.restore().returncode == 0
    assert differences(before, fingerprint(scene.lab.client)) == []
