"""The real tray in a real panel, told what to show by a helper without a tunnel."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_wire.commands import ApplySettings, Connect, Disconnect, Pause, Reconnect
from slopn_wire.events import ErrorKind, PolicyKind, Refused, Snapshot
from slopn_wire.state import Connecting, ErrorCause, ErrorState, TargetState
from support.desktop import DesktopSession
from support.desktop_tray import TIMEOUT, Tray
from support.fake_helper import FakeHelper
from support.samples import CONNECTED, DISCONNECTED
from support.until import until
from tools import icons, locale

PROGRAM = Path(sys.executable).with_name("slopn-tray")
LOST = replace(CONNECTED, state=Connecting("berlin", 1, cause=ErrorCause.STALE), policy=PolicyKind.BLOCKED)
_WINDOW = '#!/bin/sh\nprintf \'%s\\n\' "window $*" >> "$HOME/window"\n'


class Place:
    """A session with a helper, and the tray in it."""

    def __init__(self, screen: DesktopSession, helper: FakeHelper) -> None:
        self.screen = screen
        self.helper = helper

    def start(self, *words: str, **environ: str) -> None:
        """Start a tray."""
        programs = self.screen.folder / "bin"
        if not programs.is_dir():
            programs.mkdir()
            (programs / "slopn-tray").write_text(PROGRAM.read_text())
            (programs / "slopn-window").write_text(_WINDOW)
            for program in programs.iterdir():
                program.chmod(0o755)
        environ |= {"SLOPN_SOCKET": self.helper.path, "SLOPN_KEYRING": "no"}
        self.tray = self.screen.start(programs / "slopn-tray", *words, environ=environ)

    def show(self, view: Snapshot) -> None:
        """The helper says this from now on."""
        self.helper.show(replace(view, seq=self.helper.run(lambda: self.helper.hub.view.seq)))
        self.helper.publish(
            self.helper.state(view.state, policy=view.policy, target=view.target, target_profile=view.target_profile)
        )

    def windows(self) -> list[str]:
        """With what words the window was started."""
        file = self.screen.folder / "window"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A panel and notifications; no tray yet."""
    icons.main()
    with (
        DesktopSession(panel=True, notifications=True) as screen,
        FakeHelper(tmp_path / "helper", everybody=True) as helper,
    ):
        helper.show(DISCONNECTED)
        yield Place(screen, helper)


def test_the_icon_says_what_is_so(place: Place) -> None:
    """Each state as it comes, in the panel's own words; and nothing is claimed once the helper is gone."""
    place.start("--login")
    with Tray(place.screen) as tray:
        for view, icon, title in (
            (DISCONNECTED, "slopn-open", "Not protected"),
            (CONNECTED, "slopn-tick", "Protected through berlin"),
            (replace(DISCONNECTED, policy=PolicyKind.BLOCKED), "slopn-bar", "Blocked"),
            (
                replace(LOST, state=ErrorState(ErrorCause.OFFLINE, "berlin")),
                "slopn-bar-error",
                "Blocked: no network",
            ),
        ):
            place.show(view)
            until(lambda icon=icon: tray.wait().icon == icon, TIMEOUT, icon)  # type: ignore[misc]
            until(lambda title=title: tray.title == title, TIMEOUT, title)  # type: ignore[misc]
        place.show(LOST)
        until(lambda: tray.icon == "slopn-filling-3", TIMEOUT, "the icon moves")
        place.helper.stop()
        until(lambda: tray.icon == "slopn-question", TIMEOUT, "nothing is known")


def test_each_line_does_what_it_says(place: Place) -> None:
    """Clicked by label, as a person would."""
    place.show(CONNECTED)
    place.start("--login")
    with Tray(place.screen) as tray:
        until(lambda: tray.wait().icon == "slopn-tick", TIMEOUT, "the tunnel stands")
        for path, command in (
            (("Reconnect",), Reconnect()),
            (("Pause", "15"), Pause(900)),
            (("paris",), Connect("paris")),
            (("Disconnect",), Disconnect()),
        ):
            tray.click(*path)
            until(lambda command=command: place.helper.commands[-1:] == [command], TIMEOUT, str(command))  # type: ignore[misc]
        tray.click("Kill switch", "Always")
        until(lambda: isinstance(place.helper.commands[-1], ApplySettings), TIMEOUT, "the settings")
        until(
            lambda: tray.menu().find("Kill switch", "While").checked, TIMEOUT, "only what the helper has said is marked"
        )
        assert not tray.menu().find("paris").checked
        tray.click("Open SloPN")
        until(place.windows, TIMEOUT, "the window")


def test_an_open_menu_stays_while_its_lines_change(place: Place) -> None:
    """The menu is the same object with the same lines; those that are about something else are exchanged."""
    place.show(CONNECTED)
    place.start("--login")
    with Tray(place.screen) as tray:
        until(lambda: tray.wait().icon == "slopn-tick", TIMEOUT, "the tunnel stands")
        before, revision = tray.menu(), tray.revision()
        place.helper.publish(place.helper.state(CONNECTED.state, since=1_000_000_000.0))
        until(lambda: tray.menu().children[1].label != before.children[1].label, TIMEOUT, "another time")
        assert tray.revision() == revision
        place.show(DISCONNECTED)
        until(lambda: "Connect" in tray.menu().labels(), TIMEOUT, "the way back")
        kept = {child.label: child.number for child in before.children if not child.separator}
        now = {child.label: child.number for child in tray.menu().children if not child.separator}
        assert all(kept[label] == now[label] for label in ("paris", "Kill switch", "Open SloPN"))


def test_notifications_come_once_and_do_what_they_offer(place: Place) -> None:
    """Lost, then back instead of it; a button of the first disconnects. What the user asks for himself isn't told."""
    place.show(CONNECTED)
    place.start("--login")
    with Tray(place.screen) as tray:
        until(lambda: tray.wait().icon == "slopn-tick", TIMEOUT, "the tunnel stands")
        place.show(LOST)
        until(lambda: place.screen.shown() == 1, TIMEOUT, "the loss is told")
        place.screen.press("Disconnect")
        until(lambda: Disconnect() in place.helper.commands, TIMEOUT, "the button's command")
        until(lambda: place.screen.shown() == 0, TIMEOUT, "the notification is gone")
        place.show(DISCONNECTED)
        until(lambda: "Connect" in tray.menu().labels(), TIMEOUT, "it is down")
        tray.click("Connect")
        until(lambda: place.helper.commands[-1] == Connect(), TIMEOUT, "the command")
        place.show(CONNECTED)
        until(lambda: tray.icon == "slopn-tick", TIMEOUT, "the tunnel stands")
        place.show(LOST)
        until(lambda: place.screen.shown() == 1, TIMEOUT, "the loss is told")
        place.show(CONNECTED)
        until(lambda: len(place.screen.told()) == 2, TIMEOUT, "the loss is taken back")
        assert [told["summary"] for told in place.screen.told()] == ["The connection is lost"] * 2
        until(lambda: place.screen.shown() == 1, TIMEOUT, "that it is back")
        place.screen.press("")
        until(place.windows, TIMEOUT, "the window")


def test_a_refusal_is_told(place: Place) -> None:
    """In the helper's words."""
    place.helper.answer(Connect, Refused(ErrorKind.INVALID, "There is no such profile."))
    place.start("--login")
    with Tray(place.screen) as tray:
        until(lambda: "Connect" in tray.wait().menu().labels(), TIMEOUT, "the menu")
        tray.click("Connect")
        until(lambda: place.screen.shown() == 1, TIMEOUT, "the refusal is told")
        place.screen.run("dunstctl", "close")
        until(place.screen.told, TIMEOUT, "it is closed")
        assert place.screen.told()[0]["body"] == "There is no such profile."


def test_there_is_one_tray(place: Place) -> None:
    """A second start by a person shows the window, one by the session nothing; both end, and what they ask is done."""
    place.start("--login")
    with Tray(place.screen) as tray:
        tray.wait()
        for words in ((), ("--login",), ("--disconnect",)):
            done = place.screen.attempt(
                place.screen.folder / "bin/slopn-tray", *words, environ={"SLOPN_SOCKET": place.helper.path}
            )
            assert (done.returncode, done.stderr) == (0, "")
        until(lambda: Disconnect() in place.helper.commands, TIMEOUT, "what the second one asks")
        assert place.windows() == ["window "]


def test_leaving_says_what_becomes_of_the_tunnel(place: Place) -> None:
    """The tray goes; the tunnel only if that was said."""
    place.show(CONNECTED)
    for choice, commands in (("Quit – the tunnel stays up", []), ("Disconnect and quit", [Disconnect()])):
        place.start("--login")
        with Tray(place.screen) as tray:
            until(lambda: tray.wait().icon == "slopn-tick", TIMEOUT, "the tunnel stands")
            tray.click("Quit", choice)
            until(lambda: not tray.there(), TIMEOUT, "the tray is gone")
        assert place.helper.commands == commands


def test_a_pause_counts_down(place: Place) -> None:
    """In the menu's first line."""
    place.helper.show(
        replace(DISCONNECTED, target=TargetState.PAUSED, paused_until=time.time() + 290, target_profile="berlin")
    )
    place.start("--login")
    with Tray(place.screen) as tray:
        until(lambda: tray.wait().icon == "slopn-clock", TIMEOUT, "the pause")
        first = tray.menu().children[0].label
        assert first.startswith("Paused for 4:")
        until(lambda: tray.menu().children[0].label != first, TIMEOUT, "a second has passed")


def test_without_a_panel_the_window_opens_and_it_is_said_once(tmp_path: Path) -> None:
    """As on stock GNOME; when a panel comes, the icon is in it. The session's own start opens nothing the second time."""
    icons.main()
    with DesktopSession(notifications=True) as screen, FakeHelper(tmp_path / "helper", everybody=True) as helper:
        place = Place(screen, helper)
        place.start()
        until(place.windows, TIMEOUT, "the window")
        until(lambda: place.screen.shown() == 1, TIMEOUT, "it is said")
        stored = screen.folder / "config/slopn/preferences.json"
        assert '"told_no_tray": true' in stored.read_text()
        screen.start_panel()
        with Tray(screen) as tray:
            tray.wait()
        assert len(place.windows()) == 1


@pytest.mark.parametrize("updates", [400, pytest.param(2_000, marks=pytest.mark.long)])
def test_many_updates_cost_no_memory(place: Place, updates: int) -> None:
    """pystray's own way of setting icons takes some 60 KB each; here all of them stay below 5 MB together."""
    place.start("--login")
    with Tray(place.screen) as tray:
        tray.wait()
        states = ((CONNECTED, "slopn-tick"), (DISCONNECTED, "slopn-open"))
        start = 0
        for number in range(updates + 40):
            view, icon = states[number % 2]
            place.helper.publish(place.helper.state(view.state, policy=view.policy))
            until(lambda icon=icon: tray.icon == icon, TIMEOUT, icon)  # type: ignore[misc]
            if number == 39:  # libraries for notifications and the like are there by now
                start = _resident(place.tray.pid)
        assert _resident(place.tray.pid) - start < 5 << 20


def test_it_speaks_german(place: Place) -> None:
    """In a German session, by the one catalogue."""
    locale.compile_all()
    place.show(CONNECTED)
    place.start("--login", LANG="de_DE.UTF-8")
    with Tray(place.screen) as tray:
        until(lambda: tray.wait().title == "Geschützt über berlin", TIMEOUT, "the tunnel stands")
        labels = tray.menu().labels()
        assert {"Trennen", "Neu verbinden", "Beenden"} <= set(labels)


def test_a_crash_leaves_nothing_in_the_way(place: Place) -> None:
    """The next one is there as if nothing had been."""
    place.start("--login")
    with Tray(place.screen) as tray:
        tray.wait()
        place.tray.kill()
        until(lambda: not tray.there(), TIMEOUT, "the icon is gone")
        place.start("--login")
        tray.wait()


def _resident(process: int) -> int:
    """Bytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096
