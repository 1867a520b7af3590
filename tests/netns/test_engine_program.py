from __future__ import annotations

import fcntl
import os
import secrets
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.netns import Namespace
from support.until import until

_PROGRAM = str(Path(sys.executable).parent / "slopn-engine")
_TUNSETIFF = 0x400454CA
_DEVICE = f"wg{os.getpid()}{secrets.token_hex(2)}"[:15]


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace with its own /run, so that sockets of others aren't in it."""
    with Namespace("program", private=True) as namespace:
        yield namespace


def socket_of(host: Namespace) -> Path:
    """The UAPI socket."""
    return host.root() / f"run/wireguard/{_DEVICE}.sock"


def exists(host: Namespace) -> bool:
    """Whether the interface is there."""
    return host.run(["ip", "link", "show", _DEVICE], check=False).returncode == 0


def running(host: Namespace) -> list[int]:
    """The engines that run in the namespace."""
    names = {pid: Path(f"/proc/{pid}/comm") for pid in host.pids()}
    return [pid for pid, comm in names.items() if comm.exists() and comm.read_text().strip() == "slopn-engine"]


def start(host: Namespace) -> int:
    """Start it in the background and give its process id."""
    done = host.run([_PROGRAM, _DEVICE])
    assert done.stdout + done.stderr == ""
    assert exists(host)
    assert socket_of(host).is_socket()
    assert socket_of(host).stat().st_mode & 0o777 == 0o600
    host.run(["wg", "show", _DEVICE])
    (pid,) = running(host)
    assert os.getsid(pid) == pid
    return pid


def gone(host: Namespace) -> None:
    """Wait until nothing of it is left."""
    until(lambda: not running(host) and not exists(host), 5, "the engine is gone")
    assert not socket_of(host).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_returns_when_ready_and_ends_on_a_signal(host: Namespace, number: signal.Signals) -> None:
    """The command returns once interface and socket exist; a signal ends the daemon and removes both."""
    os.kill(start(host), number)
    gone(host)


def test_it_ends_with_its_interface(host: Namespace) -> None:
    """Deleting the interface ends the daemon and removes the socket."""
    start(host)
    host.ip(f"link del {_DEVICE}")
    gone(host)


def test_it_ends_with_its_socket(host: Namespace) -> None:
    """Removing the socket, which is what wg-quick does, ends the daemon and removes the interface."""
    start(host)
    socket_of(host).unlink()
    gone(host)


def test_a_second_one_is_refused_by_a_sentence(host: Namespace) -> None:
    """An interface that exists already is refused, with a status other than 0, and stays as it is."""
    pid = start(host)
    for options in ([], ["-f"]):
        done = host.run([_PROGRAM, *options, _DEVICE], check=False)
        assert done.returncode == 1
        assert "is in use" in done.stderr
    assert running(host) == [pid]
    assert socket_of(host).is_socket()


def test_a_stale_socket_is_replaced(host: Namespace) -> None:
    """After SIGKILL the socket is left behind; the next start takes its place."""
    os.kill(start(host), signal.SIGKILL)
    until(lambda: not running(host) and not exists(host), 5, "it is dead")
    assert socket_of(host).is_socket()
    start(host)


def test_in_the_foreground_it_stays_and_logs(host: Namespace) -> None:
    """With -f, or WG_PROCESS_FOREGROUND=1, it stays attached; LOG_LEVEL=verbose shows what it uses."""
    for options, env in ((["-f"], {}), ([], {"WG_PROCESS_FOREGROUND": "1"})):
        log = host.root() / "run/log"
        with log.open("w") as out:
            process = host.popen([_PROGRAM, *options, _DEVICE], env={"LOG_LEVEL": "verbose", **env}, stdout=out)
            until(lambda: exists(host) and socket_of(host).is_socket(), 5, "it is up")
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
        assert "tun: " in log.read_text()
        gone(host)


def test_a_reader_who_has_gone_ends_no_tunnel(host: Namespace) -> None:
    """With the pipe that it logs to closed, the engine goes on, and still ends in order."""
    process = host.popen([_PROGRAM, "-f", _DEVICE], env={"LOG_LEVEL": "verbose"}, stdout=subprocess.PIPE)
    until(lambda: exists(host) and socket_of(host).is_socket(), 5, "it is up")
    assert process.stdout is not None
    process.stdout.close()
    for port in ("40001", "40002"):
        host.run(["wg", "set", _DEVICE, "listen-port", port])
        assert host.run(["wg", "show", _DEVICE, "listen-port"]).stdout.strip() == port
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    gone(host)


def test_the_kernel_may_number_the_interface(host: Namespace) -> None:
    """`%d` becomes a number, in the name of the socket as well."""
    host.run([_PROGRAM, "wgn%d"])
    host.run(["wg", "show", "wgn0"])
    host.ip("link del wgn0")
    until(lambda: not running(host), 5, "the engine is gone")


def test_a_descriptor_of_another_kind_of_device_is_refused(host: Namespace) -> None:
    """WG_TUN_FD must be a TUN device: what a TAP device carries are no IP packets."""
    tap = 0x1002
    with host.entered(), Path("/dev/net/tun").open("r+b", buffering=0) as device:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", _DEVICE.encode(), tap))
        done = subprocess.run(
            host.command([_PROGRAM, "-f", _DEVICE]),
            check=False,
            capture_output=True,
            text=True,
            timeout=5,
            env={**os.environ, "WG_TUN_FD": str(device.fileno())},
            pass_fds=[device.fileno()],
        )
    assert (done.returncode, "IFF_NO_PI" in done.stderr) == (1, True)


def test_wrong_usage_is_told_apart(host: Namespace) -> None:
    """Status 2 and the usage for what makes no sense; --version says a version."""
    done = host.run([_PROGRAM], check=False)
    assert (done.returncode, "usage:" in done.stderr) == (2, True)
    assert host.run([_PROGRAM, "--version"]).stdout.startswith("slopn-engine ")
