"""The window among other programs: one for each user, files dropped on it, a tray to hide to, a number to repeat."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app import preferences
from slopn_app.preferences import Geometry, Preferences, Stored
from slopn_wire.commands import CheckProfile, ImportProfile
from slopn_wire.profile_replies import Checked
from support.desktop import DesktopSession
from support.fake_helper import FakeHelper
from support.helper_process import BIN
from support.samples import BERLIN, CONNECTED
from support.until import until
from support.window import TESTS, Window

PLACE = Geometry(width=700, height=600, x=400, y=100)


@pytest.fixture
def screen() -> Iterator[DesktopSession]:
    """With a panel, of a user whose first run is over."""
    with DesktopSession(panel=True) as screen:
        preferences.save(preferences.path(screen.environ), Stored(Preferences(welcomed=True), PLACE))
        yield screen


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[FakeHelper]:
    """One that is connected."""
    with FakeHelper(tmp_path) as helper:
        helper.show(CONNECTED)
        helper.answer(CheckProfile, Checked(BERLIN))
        yield helper


def front_end(helper: FakeHelper, folder: Path) -> dict[str, str]:
    """Where it is, and a place for what a front end is paired by."""
    return {"SLOPN_SOCKET": helper.path, "XDG_STATE_HOME": str(folder / "front-end")}


def visible(screen: DesktopSession) -> bool:
    """Whether there is a window to be seen."""
    return "SloPN" in screen.run("wmctrl", "-l")


def test_a_second_start_is_the_first_one_s(screen: DesktopSession, helper: FakeHelper, tmp_path: Path) -> None:
    """It ends at once; the window that runs comes to the front and shows what the second was to."""
    with Window(screen, front_end(helper, tmp_path)) as window:
        window.wait_text("Protected through berlin", "h1")
        wid = screen.run("xdotool", "search", "--onlyvisible", "--name", "^SloPN$").split()[-1]
        screen.run("xdotool", "windowminimize", "--sync", wid)
        second = screen.start(BIN / "slopn-window", "slopn://show/logs", environ=front_end(helper, tmp_path))
        assert second.wait(20) == 0
        window.wait_text("Logs", "h1")
        until(lambda: not window.js("return document.hidden"), 20, "it is seen again")


def test_closing_hides_while_there_is_a_tray(screen: DesktopSession, helper: FakeHelper, tmp_path: Path) -> None:
    """Without one it is the end; where the window was is kept."""
    environ = front_end(helper, tmp_path)
    tray = screen.start(BIN / "slopn-tray", "--login", environ=environ)
    window = screen.start(BIN / "slopn-window", environ=environ)
    until(lambda: visible(screen), 20, "the window is there")
    lock = Path(screen.environ["XDG_RUNTIME_DIR"], "slopn/tray.sock")
    until(lock.exists, 20, "the tray is there")
    screen.run("wmctrl", "-r", "SloPN", "-e", "0,300,200,720,640")
    until(lambda: " 720 640 " in re.sub(r"\s+", " ", screen.run("wmctrl", "-lG")), 20, "it has moved")
    screen.run("wmctrl", "-c", "SloPN")
    until(lambda: not visible(screen), 20, "the window is hidden")
    assert window.poll() is None
    assert screen.start(BIN / "slopn-window", environ=environ).wait(20) == 0
    until(lambda: visible(screen), 20, "the window is back")
    tray.terminate()
    tray.wait(20)
    screen.run("wmctrl", "-c", "SloPN")
    assert window.wait(20) == 0
    geometry = preferences.load(preferences.path(screen.environ)).geometry
    assert (geometry.width, geometry.height) == (720, 640)


def test_files_are_dropped(screen: DesktopSession, helper: FakeHelper, tmp_path: Path) -> None:
    """From another program, by the mouse: shown, checked by the helper, added when the user says so; the view stays."""
    file = tmp_path / "Zürich.conf"
    file.write_text("[Interface]\nPrivateKey = x\n")
    source = screen.start(
        sys.executable, "-m", "support.drag_source", "20", "300", file, environ={"PYTHONPATH": str(TESTS)}
    )
    with Window(screen, front_end(helper, tmp_path)) as window:
        window.wait_text("Protected through berlin", "h1")
        until(lambda: "drag source" in screen.run("wmctrl", "-l"), 20, "something to drag is there")
        _drag(screen, (90, 370), (PLACE.x or 0) + 420, (PLACE.y or 0) + 300)
        window.wait_text("Add this profile?")
        assert (
            window.js("return document.querySelector('dialog input[type=text], [role=dialog] input[type=text]').value")
            == "Zürich"
        )
        assert not any(isinstance(command, ImportProfile) for command in helper.commands)
        window.click("Add")
        until(lambda: any(isinstance(command, ImportProfile) for command in helper.commands), 20, "it is added")
        assert window.address().startswith("slopn-page:")
    source.terminate()


def _drag(screen: DesktopSession, start: tuple[int, int], x: int, y: int) -> None:
    """As a hand does it, in small steps: a jump is no drag."""
    screen.run("xdotool", "mousemove", *map(str, start), "mousedown", "1")
    for step in range(41):
        at = (start[0] + (x - start[0]) * step // 40, start[1] + (y - start[1]) * step // 40)
        screen.run("xdotool", "mousemove", *map(str, at))
        time.sleep(0.02)
    screen.run("xdotool", "mousemove_relative", "3", "3", "sleep", "0.3", "mouseup", "1")


def test_a_number_is_repeated(screen: DesktopSession, tmp_path: Path) -> None:
    """A helper that doesn't know the window shows one; typed into the window, it opens the door. It is kept for next time."""
    with FakeHelper(tmp_path, posing=True) as helper:
        helper.show(CONNECTED)
        with Window(screen, front_end(helper, tmp_path)) as window:
            window.wait_text("Pair this window", "h1")
            sentence = helper.run(lambda: helper.gatekeeper.shown[-1])
            number = re.search(r"\b\d{6}\b", sentence)
            assert number is not None, sentence
            assert number[0] not in window.text()
            wrong = "000000" if number[0] != "000000" else "111111"
            _type(window, wrong)
            window.wait_text("Pair this window", "h1")
            _type(window, number[0])
            window.wait_text("Protected through berlin", "h1")
        with Window(screen, front_end(helper, tmp_path)) as window:
            window.wait_text("Protected through berlin", "h1")


def _type(window: Window, number: str) -> None:
    window.js(
        "const box = document.querySelector('main input'); box.value = arguments[0]; "
        "box.dispatchEvent(new Event('input', { bubbles: true })); box.form?.requestSubmit()",
        number,
    )
