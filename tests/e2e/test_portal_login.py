"""A captive portal stands between the client and its gateway: it is told of, nothing leaks, and signing in is enough."""

from __future__ import annotations

import pytest

from support.captive import LOGIN, PAGE, URL, CaptivePortal
from support.scene import PROFILE, Scene
from support.topology import GATEWAY4, WEB4
from support.until import until


def warnings(scene: Scene) -> dict[str, str]:
    """What the health list says, by its codes."""
    return {warning["code"]: warning["text"] for warning in scene.status()["warnings"]}


@pytest.mark.leak
def test_signing_in_is_enough(scene: Scene) -> None:
    """The portal is named with its address and looked for in plain; then the tunnel comes up by itself.

    All that leaves meanwhile beside the tunnel's own packets is the question to the page, one connection at a time.
    """
    scene.setting("portal_url", URL)
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        with CaptivePortal(scene.lab) as portal:
            led = ["curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", "%{redirect_url}", f"http://{WEB4}/"]
            assert scene.lab.client.run(led).stdout == LOGIN, "a browser is led to the portal"
            scene.slopn("connect", PROFILE, "--wait", "1", status=5)
            before = portal.frames()
            scene.capture.reset()
            until(lambda: "captive_portal" in warnings(scene), 60.0, f"the portal is found\n{scene.helper.tail()}")
            assert LOGIN in warnings(scene)["captive_portal"]
            assert scene.status()["blocking"] is True
            assert scene.visitor(seconds=1) is None
            assert scene.leaks(generator).by_device, "the question has been seen on the cable"
            asked = portal.requests[-1].decode("ascii")
            assert asked.startswith("GET /success.txt HTTP/1.1\r\n")
            assert f"Host: {PAGE}\r\n" in asked
            portal.sign_in()
            scene.wait_state("connected", 60.0)
            assert scene.visitor() == GATEWAY4
            until(lambda: "captive_portal" not in warnings(scene), 10.0, "the warning goes")
            tally = scene.leaks(generator)
            assert dict(tally.leaks) == {"tcp": portal.frames() - before}, f"{tally} {tally.samples}"


def test_nobody_is_asked_while_connecting_works(scene: Scene) -> None:
    """A tunnel that comes up at once asks no web page, and where the setting is empty no failing one does."""
    scene.setting("portal_url", URL)
    with CaptivePortal(scene.lab) as portal:
        portal.sign_in()
        scene.connect()
        scene.slopn("disconnect", "--wait", "20")
        assert portal.frames() == 0
    scene.setting("portal_url", "none")
    with CaptivePortal(scene.lab) as portal:
        scene.slopn("connect", PROFILE, "--wait", "1", status=5)
        until(lambda: scene.status()["attempt"] >= 2, 60.0, "two attempts have failed")
        assert portal.frames() == 0
        assert "captive_portal" not in warnings(scene)
