"""The real tray and the real helper: what the panel shows is what the gateway and the web server see."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.desktop import DesktopSession
from support.desktop_tray import Tray
from support.scene import Scene
from support.topology import GATEWAY4
from support.until import until
from tools import icons

PROGRAM = Path(sys.executable).with_name("slopn-tray")
TIMEOUT = 40.0


@pytest.fixture
def screen(scene: Scene) -> Iterator[DesktopSession]:
    """A session whose tray is up."""
    icons.main()
    with DesktopSession(panel=True, notifications=True) as screen:
        screen.start(PROGRAM, "--login", environ=scene.helper.front_end)
        yield screen


def test_connect_cut_reconnect(scene: Scene, screen: DesktopSession) -> None:
    """By the menu alone: up, the cable pulled, up again by itself, then down; the loss and its end are told."""
    with Tray(screen) as tray:
        until(lambda: tray.wait().icon == "slopn-open", TIMEOUT, "not protected")
        tray.click("lab")
        until(lambda: tray.icon == "slopn-tick", TIMEOUT, "protected")
        assert scene.visitor() == GATEWAY4
        assert tray.menu().labels()[0] == "Protected through lab"
        scene.lab.pull("eth0")
        until(lambda: tray.icon != "slopn-tick", TIMEOUT, "the tray notices")
        until(lambda: screen.shown() == 1, TIMEOUT, "the loss is told")
        assert scene.visitor(seconds=1) is None
        scene.lab.plug("eth0")
        until(lambda: tray.icon == "slopn-tick", TIMEOUT, "protected again, by itself")
        until(lambda: len(screen.told()) == 1 and screen.shown() == 1, TIMEOUT, "the loss is taken back")
        tray.click("Reconnect")
        until(lambda: tray.icon != "slopn-tick", TIMEOUT, "on its way")
        until(lambda: tray.icon == "slopn-tick", TIMEOUT, "protected")
        tray.click("Disconnect")
        until(lambda: tray.icon == "slopn-open", TIMEOUT, "not protected")
        assert scene.status()["state"] == "disconnected"


def test_a_helper_that_is_killed(scene: Scene, screen: DesktopSession) -> None:
    """The tray claims nothing meanwhile, and is right again once there is one."""
    with Tray(screen) as tray:
        until(lambda: tray.wait().icon == "slopn-open", TIMEOUT, "not protected")
        tray.click("lab")
        until(lambda: tray.icon == "slopn-tick", TIMEOUT, "protected")
        scene.helper.kill()
        until(lambda: tray.icon == "slopn-question", TIMEOUT, "nobody knows")
        assert tray.menu().labels()[0] == "SloPN's service isn't running"
        scene.helper.start()
        until(lambda: tray.icon == "slopn-tick", TIMEOUT, "protected")
        tray.click("Kill switch", "Always")
        until(lambda: tray.menu().find("Kill switch", "Always").checked, TIMEOUT, "the helper has it")
        scene._changed.add("kill_switch")
        tray.click("Pause", "5")
        until(lambda: tray.icon == "slopn-clock", TIMEOUT, "paused")
        assert tray.menu().children[0].label.startswith("Paused for ")
        tray.click("Disconnect")
        until(lambda: tray.icon == "slopn-bar", TIMEOUT, "blocked, as wanted")
