"""The network changes under a tunnel: it goes on, on the same device, and nothing leaks on the way."""

from __future__ import annotations

import time

import pytest

from support.roaming import BOTH_BACK, CARRIER_LOSS, EVENTS, Event
from support.scene import Scene
from support.tcp_echo import TcpEcho
from support.topology import GATEWAY4
from support.until import until

UPLINKS = ("eth0", "wlan0")
_WITHIN = 20.0


def device(scene: Scene) -> str:
    """The number of the tunnel's device: another one if it was made anew."""
    return scene.lab.client.run("cat /sys/class/net/slopn0/ifindex").stdout.strip()


@pytest.mark.leak
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name.replace(" ", "-"))
def test_the_tunnel_survives(scene: Scene, event: Event) -> None:
    """There and back: connected all the time, the same engine and device, a TCP connection that goes on, and no frame beside the tunnel."""
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        with TcpEcho(scene.lab) as echo:
            echo.say(_WITHIN)
            scene.capture.reset()
            since, made = scene.status()["since"], device(scene)
            event.act(scene.lab)
            try:
                if event.dark:
                    scene.wait_state("connecting")
                else:
                    echo.say(_WITHIN)
            finally:
                event.undo(scene.lab)
            echo.say(_WITHIN)
        status = scene.wait_state("connected")
        if not event.dark:
            assert status["since"] == since, "it was connected all the time"
        assert device(scene) == made, "no new engine, no new device"
        assert scene.visitor() == GATEWAY4
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"


def test_without_a_network_no_attempt_is_burnt(scene: Scene) -> None:
    """It says that there is no network, waits without counting, and is back by the first network that comes."""
    scene.connect()
    BOTH_BACK.act(scene.lab)
    try:
        until(lambda: scene.status()["cause"] == "offline", 10.0, "it knows that there is no network")
        before = scene.status()
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            now = scene.status()
            assert (now["state"], now["cause"], now["attempt"]) == ("connecting", "offline", before["attempt"])
            assert (now["blocking"], now["network"]["online"]) == (True, False)
            time.sleep(0.25)
        made = device(scene)
        scene.lab.plug("wlan0")
        status = scene.wait_state("connected")
        assert status["network"]["interface"] == "wlan0"
        assert device(scene) == made
        assert scene.visitor() == GATEWAY4
    finally:
        CARRIER_LOSS.undo(scene.lab)
        scene.lab.plug("wlan0")
