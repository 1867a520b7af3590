"""The window that Windows and macOS have, by pywebview's GTK: the real page, a helper behind it, and nobody else before it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from slopn_app import preferences
from slopn_app.preferences import Preferences, Stored
from slopn_wire.commands import Connect, RemoveProfile
from slopn_wire.events import Done
from support.desktop import DesktopSession, stop
from support.fake_helper import FakeHelper
from support.foreign import Foreign
from support.samples import CONNECTED, DISCONNECTED
from support.until import until
from support.window import TESTS

_PRESS = """(() => {
  const button = [...document.querySelectorAll("button")].find((one) => one.innerText.trim() === "Connect");
  if (!button || button.disabled) return false;
  button.click();
  return true;
})()"""
_TITLE = "document.querySelector('h1')?.innerText ?? ''"


class Driven:
    """A window that does what scripts say. `process`: its program."""

    def __init__(self, process: Popen[bytes], control: Connection) -> None:
        self.process = process
        self._control = control

    def js(self, script: str) -> Any:
        """What it returns."""
        self._control.send(script)
        assert self._control.poll(30), "the window doesn't answer"
        return self._control.recv()

    def wait_title(self, wanted: str) -> None:
        """Return once the page says this."""
        until(
            lambda: wanted in str(self.js("document.querySelector('h1')?.innerText ?? ''")), 30, f"it says {wanted!r}"
        )


@pytest.fixture
def screen() -> Iterator[DesktopSession]:
    """Of a user whose first run is over."""
    with DesktopSession() as screen:
        preferences.save(preferences.path(screen.environ), Stored(Preferences(welcomed=True, language="en")))
        yield screen


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[FakeHelper]:
    """One that isn't connected."""
    with FakeHelper(tmp_path) as helper:
        helper.show(DISCONNECTED)
        helper.answer(Connect, Done())
        helper.answer(RemoveProfile, Done())
        yield helper


def _connected(control: Path) -> Connection | None:
    """None before somebody listens there: the socket's name is there a moment earlier."""
    try:
        return Client(str(control), "AF_UNIX")
    except (FileNotFoundError, ConnectionRefusedError):
        return None


@contextmanager
def window(screen: DesktopSession, helper: FakeHelper, **environ: str) -> Iterator[Driven]:
    """On this screen, with this helper."""
    control = screen.folder / "control"
    found = {"SLOPN_SOCKET": helper.path, "CONTROL": str(control), "PYTHONPATH": str(TESTS), **environ}
    process = screen.start(sys.executable, "-m", "support.webview_gtk", environ=found)
    try:
        client = until(lambda: _connected(control), 30, "the window's program has begun")
        assert client is not None
        with client:
            yield Driven(process, client)
    except EOFError:
        raise AssertionError(f"the window has ended:\n{screen.said()}") from None
    finally:
        stop(process)


def test_the_page_shows_and_commands(screen: DesktopSession, helper: FakeHelper) -> None:
    """The helper's state is shown, the button's press reaches it, and what it says next is shown in turn."""
    with window(screen, helper) as shown:
        shown.wait_title("Not protected")
        until(lambda: shown.js(_PRESS) is True, 20, "the button is pressed")
        until(lambda: any(isinstance(one, Connect) for one in helper.commands), 20, "the helper is asked to connect")
        now = CONNECTED
        event = helper.state(
            now.state, target=now.target, target_profile=now.target_profile, policy=now.policy, live=now.live
        )
        helper.publish(event)
        shown.wait_title("Protected through berlin")
        assert shown.js("Object.keys(window.pywebview.api).sort().join()") == "ask,local"


def test_closing_is_the_end_and_keeps_the_place(screen: DesktopSession, helper: FakeHelper) -> None:
    """Without a tray; what the user had made of the window is there next time."""
    with window(screen, helper) as shown:
        shown.wait_title("Not protected")
        screen.run("wmctrl", "-r", "SloPN", "-e", "0,300,200,720,640")
        until(lambda: shown.js("innerWidth") == 720, 20, "it has the size")
        screen.run("wmctrl", "-c", "SloPN")
        assert shown.process.wait(20) == 0
    kept = preferences.load(preferences.path(screen.environ)).geometry
    assert (kept.width, kept.height) == (720, 640)


def test_closing_hides_while_there_is_a_tray(screen: DesktopSession, helper: FakeHelper) -> None:
    """The program goes on, with nothing to be seen of it."""
    with window(screen, helper, TRAY="1") as shown:
        shown.wait_title("Not protected")
        screen.run("wmctrl", "-c", "SloPN")
        until(lambda: "SloPN" not in screen.run("wmctrl", "-l"), 20, "it is hidden")
        assert shown.process.poll() is None


def test_the_fence(screen: DesktopSession, helper: FakeHelper) -> None:
    """No other page is gone to, and no byte leaves for it."""
    with Foreign() as foreign, window(screen, helper) as shown:
        shown.wait_title("Not protected")
        shown.js("window.marker = 1")
        for way in (
            f"location.href = '{foreign.url}/page'",
            f"window.open('{foreign.url}/page')",
            f"location.replace('{foreign.url}/redirect')",
            "location.href = 'file:///etc/passwd'",
            "location.href = 'about:blank'",
        ):
            shown.js(f"{way}; 0")
            for _ in range(3):
                assert shown.js("window.marker") == 1
        assert foreign.hits == []


def test_behind_the_fence(screen: DesktopSession, helper: FakeHelper) -> None:
    """A foreign page that got there after all has pywebview's bridge, which doesn't answer it; our page comes back."""
    with Foreign() as foreign, window(screen, helper, LAX="1") as shown:
        shown.wait_title("Not protected")
        shown.js(f"location.href = '{foreign.url}/page'; 0")
        until(lambda: "/page" in foreign.hits, 30, "the foreign page is shown")
        until(lambda: "Left the page for" in screen.said(), 30, "it is noticed")
        shown.wait_title("Not protected")
        until(lambda: "isn't the page has said" in screen.said(), 30, "what it has said is refused")
        assert not any(isinstance(one, RemoveProfile) for one in helper.commands)
