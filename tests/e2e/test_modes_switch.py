"""The kill switch's modes, as a capture on the cable sees them."""

from __future__ import annotations

import errno
import random
import subprocess
import sys

import pytest

from support import probe
from support.fingerprint import differences, fingerprint
from support.helper_process import BIN
from support.scene import Scene
from support.topology import ETH0, GATEWAY4, GATEWAY_PORT, WEB_NAME
from support.until import until

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
REFUSED = {errno.EPERM, errno.EACCES, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}
SEND = f"""
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    try:
        sock.setsockopt(socket.SOL_SOCKET, {probe.SO_MARK}, 51820)
    except PermissionError:
        print("unmarked")
    try:
        sock.sendto(b"leakprobe", ("{GATEWAY4}", {GATEWAY_PORT}))
    except OSError as error:
        print(error.errno)
"""

COMMANDS = (
    ("connect", "lab"),
    ("disconnect",),
    ("reconnect",),
    ("settings", "set", "kill_switch", "off"),
    ("settings", "set", "kill_switch", "on"),
    ("settings", "set", "kill_switch", "always"),
    ("settings", "set", "allow_lan", "yes"),
)
SEED = 51820


@pytest.mark.leak
@pytest.mark.parametrize("mode", ["off", "on", "always"])
def test_the_tunnel_dies(scene: Scene, mode: str) -> None:
    """SIGKILL takes the tunnel along: with the kill switch off traffic goes out in clear, otherwise none does."""
    scene.setting("kill_switch", mode)
    scene.connect()
    with scene.somebody_sending() as generator:
        scene.capture.reset()
        scene.helper.kill()
        tally = scene.leaks(generator)
        if mode == "off":
            # Routes that are left behind hold some of it back, but not sockets bound to a device, the LAN, multicast.
            assert min(tally.leaks[kind] for kind in ("udp6", "dns/udp", "lan/udp", "multicast/udp")) > 0, f"{tally}"
        else:
            assert tally.total == 0, f"{tally} {tally.samples}"


@pytest.mark.leak
def test_always_is_closed_without_a_tunnel(scene: Scene) -> None:
    """Set while disconnected it closes at once, lets the tunnel alone out, stays closed after it, until it's taken back."""
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.setting("kill_switch", "always")
        status = scene.status()
        assert (status["state"], status["policy"], status["blocking"]) == ("disconnected", "blocked", True)
        scene.capture.reset()
        assert scene.visitor(seconds=1) is None
        assert scene.leaks(generator).total == 0
        scene.connect()
        assert scene.visitor() == GATEWAY4
        scene.slopn("disconnect", "--wait", "20")
        assert scene.status()["policy"] == "blocked"
        assert scene.visitor(seconds=1) is None
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
        scene.setting("kill_switch", "on")
        assert scene.status()["policy"] == "open"
        assert scene.visitor() == ETH0.client4
        assert scene.leaks(generator).total > 0


@pytest.mark.leak
def test_a_change_while_connected_holds_at_once(scene: Scene) -> None:
    """Off lets what is bound to the cable pass, on and always end that; the tunnel carries on through all of it."""
    scene.connect()
    with scene.somebody_sending() as generator:
        for mode in ("off", "on", "off", "always"):
            scene.setting("kill_switch", mode)
            scene.capture.reset()
            status = scene.status()
            assert status["policy"] == ("open" if mode == "off" else "tunnelled")
            assert any(found["code"] == "kill_switch_off" for found in status["warnings"]) is (mode == "off")
            tally = scene.leaks(generator)
            assert (tally.total > 0) is (mode == "off"), f"{mode}: {tally} {tally.samples}"
            assert scene.visitor() == GATEWAY4


def test_the_lan_is_reachable_only_if_allowed(scene: Scene) -> None:
    """A printer can be reached beside the tunnel when that is set, its name server can't; both ways at once."""
    printer = (ETH0.router4, 8080)
    with probe.listener(scene.lab.router, printer[1]):
        assert probe.connect(scene.lab.client, printer) == 0, "it must be reachable without us"
        scene.connect()
        for allowed in (False, True, False):
            scene.setting("allow_lan", "yes" if allowed else "no")
            assert (probe.connect(scene.lab.client, printer) == 0) is allowed
            assert probe.ask(scene.lab.client, (ETH0.router4, 53), probe.dns(WEB_NAME), seconds=1) is None
            assert scene.visitor() == GATEWAY4


@pytest.mark.leak
def test_no_program_reaches_the_gateways_port(scene: Scene) -> None:
    """Neither root without the mark nor a user, who may not set it; on an open host both do.

    While the tunnel is being made, as its routes would lead such a packet into it later; then bound to the cable.
    """
    user = [*NOBODY, sys.executable, "-c", SEND]
    to = (GATEWAY4, GATEWAY_PORT)
    assert probe.send(scene.lab.client, to) == 0
    assert scene.lab.client.run(user).stdout.split() == ["unmarked"]
    assert scene.capture.reset().leaks == {"unmarked/udp": 2}
    scene.gateway.stop()
    try:
        scene.slopn("connect", "lab")
        until(lambda: scene.status()["endpoint"], 10.0, "the helper calls the gateway")
        assert probe.send(scene.lab.client, to) in REFUSED
        assert scene.lab.client.run(user).stdout.split() in (["unmarked", str(number)] for number in REFUSED)
    finally:
        scene.gateway.start()
    scene.slopn("reconnect", "--wait", "20")
    assert probe.send(scene.lab.client, to, device="eth0") in REFUSED
    tally = scene.capture.tally()
    assert tally.total == 0, f"{tally} {tally.samples}"
    assert tally.allowed_by_device[ETH0.router_device] > 0


def test_the_last_word_counts(scene: Scene) -> None:
    """After a storm of commands a tunnel comes up when asked for, and the host is as before once it's taken down."""
    before = fingerprint(scene.lab.client)
    chosen = random.Random(SEED).choices(COMMANDS, k=24)
    env = scene.helper.front_end
    storm = [
        scene.lab.client.popen(
            [str(BIN / "slopn"), *command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for command in chosen
    ]
    for command, process in zip(chosen, storm, strict=True):
        _, errors = process.communicate(timeout=60)
        # A `reconnect` is refused while nothing is connected.
        assert process.returncode in {0, 2 if command == ("reconnect",) else 0}, f"{command}: {errors!r}"
    scene.setting("kill_switch", "on")
    scene.setting("allow_lan", "no")
    scene.connect()
    assert scene.visitor() == GATEWAY4
    scene.slopn("disconnect", "--wait", "20")
    assert scene.visitor() == ETH0.client4
    assert differences(before, fingerprint(scene.lab.client)) == []
