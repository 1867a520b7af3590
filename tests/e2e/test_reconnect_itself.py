"""The gateway dies, cables are pulled, the network goes: closed meanwhile, and back without anybody's help."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest

from support.echo import EchoStream
from support.scene import Scene
from support.topology import ETH0, GATEWAY4, GATEWAY6, GATEWAY_PORT, WEB4, WLAN0, Uplink
from support.until import until

UPLINKS = ("eth0", "wlan0")

_log = logging.getLogger(__name__)


@pytest.mark.leak
def test_the_gateway_dies_and_returns(scene: Scene) -> None:
    """Silence ends `connected` with its reason; nothing leaks from the death until the tunnel is back by itself."""
    # The name of its page would be asked for in clear, and counted.
    scene.setting("portal_url", "none")
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        scene.gateway.stop()
        try:
            # WireGuard lets a session rest for 15 s before it doubts it; on another address it shakes hands at once.
            scene.lab.client.ip("addr add 10.1.0.77/24 dev eth0")

            def given_up() -> bool:
                status = scene.status()
                return (status["state"], status["cause"], status["blocking"]) == ("connecting", "stale", True)

            until(given_up, 40.0, "the helper finds the tunnel dead")
            assert scene.visitor(seconds=1) is None
            tally = scene.leaks(generator)
            assert tally.total == 0, f"{tally} {tally.samples}"
        finally:
            scene.gateway.start()
            scene.lab.client.ip("addr del 10.1.0.77/24 dev eth0")
        scene.wait_state("connected", 40.0)
        until(lambda: scene.visitor() == GATEWAY4, 10.0, "the tunnel carries traffic again")
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"


@pytest.mark.leak
def test_a_pulled_cable(scene: Scene) -> None:
    """The other uplink takes over and hands back; the tunnel stays connected, nothing leaks. Outages are logged."""
    with scene.somebody_sending() as generator, EchoStream(scene.lab.client, WEB4) as echo:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        echo.wait_answer(time.monotonic(), 5.0, "the echo answers through the tunnel")
        scene.capture.reset()
        since = scene.status()["since"]
        moves: tuple[tuple[Callable[[str], None], Uplink], ...] = ((scene.lab.pull, WLAN0), (scene.lab.plug, ETH0))
        for move, uplink in moves:
            begun = time.monotonic()
            move("eth0")
            until(lambda to=uplink: _seen_at(scene, to), 10.0, f"the gateway sees the client at {uplink.client4}")  # type: ignore[misc]
            echo.wait_answer(time.monotonic(), 10.0, "answers come again")
            _log.info("to %s: %.0f ms without an answer", uplink.device, echo.longest_gap(begun) * 1000)
        status = scene.status()
        assert (status["state"], status["since"]) == ("connected", since), "it was connected all the time"
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"


@pytest.mark.leak
def test_offline_and_online_again(scene: Scene) -> None:
    """Without any network: connecting, cause offline, closed. With one again: connected, without a leak on the way."""
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        for device in UPLINKS:
            scene.lab.pull(device)
        try:
            status = scene.wait_state("connecting")
            assert (status["cause"], status["blocking"], status["network"]["online"]) == ("offline", True, False)
        finally:
            for device in UPLINKS:
                scene.lab.plug(device)
        assert scene.wait_state("connected", 20.0)["network"]["online"] is True
        until(lambda: scene.visitor() == GATEWAY4, 10.0, "the tunnel carries traffic again")
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"


def test_connecting_while_offline(scene: Scene) -> None:
    """The wish is taken without a network, and carried out as soon as there is one."""
    for device in UPLINKS:
        scene.lab.pull(device)
    try:
        until(lambda: not scene.status()["network"]["online"], 10.0, "the helper knows that it is offline")
        scene.slopn("connect", "lab", "--wait", "1", status=5)
    finally:
        for device in UPLINKS:
            scene.lab.plug(device)
    scene.wait_state("connected", 20.0)
    assert scene.visitor() == GATEWAY4


@pytest.mark.leak
def test_the_device_is_deleted(scene: Scene) -> None:
    """Somebody removes the tunnel's interface: it is made again, and nothing leaks until then."""
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        since = scene.status()["since"]
        scene.lab.client.ip("link del slopn0")
        until(lambda: scene.status()["since"] > since, 10.0, "the helper has noticed")
        scene.wait_state("connected", 20.0)
        until(lambda: scene.visitor() == GATEWAY4, 10.0, "the tunnel carries traffic again")
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"


@pytest.mark.leak
def test_another_profile(scene: Scene) -> None:
    """`reconnect`, and `connect` to another profile: closed from one tunnel to the next."""
    scene.add_profile(scene.gateway.config(endpoint=f"[{GATEWAY6}]:{GATEWAY_PORT}"), "other")
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        for command in (("reconnect",), ("connect", "other"), ("connect", "lab")):
            scene.slopn(*command, "--wait", "20")
            assert scene.visitor() == GATEWAY4
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"


def _seen_at(scene: Scene, uplink: Uplink) -> bool:
    endpoint = scene.gateway.client().endpoint
    return endpoint is not None and endpoint.startswith(f"{uplink.client4}:")
