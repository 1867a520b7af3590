"""The real window with the real helper: what it says is so, what it is told happens, and it finds its way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app import preferences
from slopn_app.preferences import Preferences, Stored
from support.desktop import DesktopSession
from support.scene import Scene
from support.topology import GATEWAY4
from support.window import Window


@pytest.fixture(scope="module")
def screen() -> Iterator[DesktopSession]:
    """One for all, of a user whose first run is over."""
    with DesktopSession() as screen:
        preferences.save(preferences.path(screen.environ), Stored(Preferences(welcomed=True, language="en")))
        yield screen


@pytest.fixture
def window(scene: Scene, screen: DesktopSession) -> Iterator[Window]:
    """A window that has reached the helper."""
    with Window(screen, scene.helper.front_end) as window:
        window.wait_text("Not protected", "h1")
        yield window


def test_connect_cut_and_come_back(scene: Scene, window: Window) -> None:
    """By the one big control; then the cable is pulled, and plugged in again: the words follow the helper."""
    window.click("Connect")
    window.wait_text("Protected through lab", "h1")
    assert scene.status()["state"] == "connected"
    assert scene.visitor() == GATEWAY4
    window.wait_text(GATEWAY4)
    scene.lab.pull("eth0")
    window.wait_text("onnecting to lab…", "h1", 30)
    window.wait_text("nothing leaves meanwhile")
    scene.lab.plug("eth0")
    window.wait_text("Protected through lab", "h1", 30)
    window.click("Disconnect")
    window.wait_text("Not protected", "h1")
    assert scene.status()["state"] == "disconnected"


def test_the_helper_is_killed_and_comes_back(scene: Scene, window: Window) -> None:
    """Nothing is claimed of a helper that isn't there; the next one's state is shown without a reload."""
    window.js("window.marker = 1")
    scene.connect()
    window.wait_text("Protected through lab", "h1")
    scene.helper.kill()
    window.wait_text("SloPN's service isn't running", "h1")
    window.wait_text("Rules that were in force stay in force.")
    scene.helper.start()
    window.wait_text("Protected through lab", "h1", 30)
    assert window.js("return window.marker") == 1


def test_the_log_is_followed(scene: Scene, window: Window) -> None:
    """As it happens, filtered by what is typed."""
    window.page("Logs")
    window.wait_text("lines", ".count")
    scene.connect()
    window.wait_text("connected to lab by slopn0")
    box = "document.querySelector('input[type=search]')"
    window.js(f"{box}.value = 'connected to lab'; {box}.dispatchEvent(new Event('input', {{ bubbles: true }}))")
    window.wait_text(" of ", ".count")
    shown = window.text("[role=log], .log, .logs")
    assert "connected to lab by slopn0" in shown
    assert "GetSnapshot" not in shown


def test_a_profile_comes_by_file(scene: Scene, screen: DesktopSession, tmp_path: Path) -> None:
    """Given on the command line: shown, and added when the user says so, not before."""
    file = tmp_path / "Café.conf"
    file.write_text(scene.gateway.config())
    with Window(screen, scene.helper.front_end, str(file)) as window:
        window.wait_text("Add this profile?")
        assert "Café" not in scene.slopn("profiles").stdout
        window.click("Add")
        window.wait_text("“Café” is added.")
    scene.slopn("profiles", "--remove", "Café")
