from __future__ import annotations

from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from slopn_app import locale, preferences
from slopn_app.feed import Problem, ProblemKind
from slopn_app.host.posix import PosixFiles
from slopn_app.preferences import Notifications, Preferences
from slopn_app.tray.recent import Recent
from slopn_app.tray.tray import FRAME, GRACE, Tray
from slopn_app.trouble import HungUp
from slopn_wire.commands import Connect, Disconnect
from slopn_wire.events import Done, ErrorKind, PolicyKind, Refused
from slopn_wire.state import Connecting, ErrorCause
from support.desktop_fakes import FakeNotifications, FakeSurface
from support.fake_watcher import FakeWatcher
from support.samples import CONNECTED, DISCONNECTED

LOST = replace(CONNECTED, state=Connecting("berlin", 1, cause=ErrorCause.STALE), policy=PolicyKind.BLOCKED)


class World:
    """A tray and all that it stands on."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.surface = FakeSurface()
        self.watcher = FakeWatcher()
        self.notifications = FakeNotifications()
        self.windows: list[str] = []
        self.file = folder / "preferences.json"
        files = PosixFiles({"XDG_STATE_HOME": str(folder)}, "")

        def watch(_: object) -> Any:
            return self.watcher

        self.tray = Tray(
            self.surface,
            watch,
            self.notifications,
            self.windows.append,
            Recent(files),
            self.file,
            {},
            words=words,
            clock=lambda: self.surface.now,
        )
        self.tray.start()

    @property
    def icon(self) -> str:
        """The last one shown."""
        return self.surface.faces[-1].icon

    def prefer(self, **changed: Any) -> None:
        """The window has written other preferences."""
        preferences.change(self.file, preferences=replace(Preferences(), **changed))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A tray that a person has started."""
    return World(tmp_path)


def test_it_shows_what_it_is_told(world: World) -> None:
    """From the first moment, in which nothing is known."""
    assert world.icon == "slopn-question"
    world.tray.changed(DISCONNECTED)
    assert (world.icon, world.surface.faces[-1].title) == ("slopn-open", "Not protected")
    world.tray.changed(Problem(ProblemKind.UNREACHABLE, ("x",)))
    assert world.icon == "slopn-question"


def test_what_is_on_its_way_moves(world: World) -> None:
    """Frame by frame, and no longer than it is; not at all for who wants nothing to move."""
    view = replace(CONNECTED, state=Connecting("berlin"))
    world.tray.changed(view)
    world.surface.wait(FRAME * 2.5)
    assert [face.icon[-1] for face in world.surface.faces[-3:]] == ["1", "2", "3"]
    world.tray.changed(CONNECTED)
    drawn = len(world.surface.faces)
    world.surface.wait(60.0)
    assert len(world.surface.faces) == drawn + 1
    assert world.icon == "slopn-tick"
    world.surface.animated = False
    world.tray.changed(view)
    drawn = len(world.surface.faces)
    world.surface.wait(60.0)
    assert len(world.surface.faces) == drawn


def test_a_refusal_or_trouble_is_told_whatever_is_switched_off(world: World) -> None:
    """What the user asked for isn't done: they must know."""
    world.prefer(notifications=Notifications(connected=False, lost=False, back=False, blocked=False, portal=False))
    world.tray.changed(DISCONNECTED)
    for answer in (Refused(ErrorKind.INVALID, "No."), HungUp()):
        world.watcher.answer = answer
        world.surface.choose("Connect")
    assert world.notifications.shown == ["That wasn't done"] * 2
    world.watcher.answer = CancelledError()
    world.surface.choose("Connect")
    assert len(world.notifications.shown) == 2
    assert world.watcher.asked == [Connect()] * 3


def test_kinds_can_be_switched_off(world: World) -> None:
    """Each by itself, at once."""
    world.tray.changed(CONNECTED)
    world.prefer(notifications=Notifications(lost=False))
    world.tray.changed(LOST)
    world.surface.wait(9.0)
    assert world.notifications.shown == []
    world.prefer(notifications=Notifications(back=False))
    world.tray.changed(CONNECTED)
    world.tray.changed(LOST)
    world.surface.wait(9.0)
    world.tray.changed(CONNECTED)
    assert world.notifications.shown == ["The connection is lost"]
    world.notifications.buttons[""]()
    assert world.windows == [""]


def test_the_session_connects_if_the_user_wants_it(tmp_path: Path) -> None:
    """Once, unless there is a tunnel; words of the command line as well."""
    for number, (view, words, asked) in enumerate(
        (
            (DISCONNECTED, (), [Connect()]),
            (CONNECTED, (), []),
            (DISCONNECTED, ("--disconnect",), [Connect(), Disconnect()]),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = World(folder, "--login", *words)
        world.prefer(connect_at_start=True)
        for _ in range(2):
            world.tray.changed(view)
        assert world.watcher.asked == asked
        assert world.windows == []


def test_a_later_start_is_served(world: World) -> None:
    """By a window, a command, or not at all."""
    world.tray.changed(DISCONNECTED)
    for words in (("--login",), ("--connect",), ("--disconnect",), ()):
        world.tray.called(words)
    assert world.watcher.asked == [Connect(), Disconnect()]
    assert world.windows == [""]


def test_no_place_for_an_icon(tmp_path: Path) -> None:
    """It is said once, ever; the window opens for who asked, and not at each login."""
    world = World(tmp_path, "--login")
    world.surface.place(False)
    world.surface.wait(GRACE - 1)
    world.surface.place(True)
    world.surface.wait(60.0)
    assert (world.windows, world.notifications.shown) == ([], [])
    for words, windows, said in ((("--login",), 1, 1), (("--login",), 0, 0), ((), 1, 0)):
        world = World(tmp_path, *words)
        world.surface.place(False)
        world.surface.wait(GRACE + 1)
        assert (len(world.windows), len(world.notifications.shown)) == (windows, said)


def test_leaving(world: World) -> None:
    """With the tunnel only if it is going."""
    world.tray.changed(CONNECTED)
    world.watcher.answer = Refused(ErrorKind.FAILED, "No.")
    world.surface.choose("Quit", "Disconnect and quit")
    assert (world.surface.stopped, world.notifications.shown) == (False, ["That wasn't done"])
    world.watcher.answer = Done()
    world.surface.choose("Quit", "Disconnect and quit")
    assert world.surface.stopped
    world.tray.close()
    assert world.watcher.closed
    assert world.notifications.closed


def test_a_number_is_asked_for(world: World) -> None:
    """While one is wanted."""
    world.tray.changed(Problem(ProblemKind.NUMBER_NEEDED, ("x",)))
    world.surface.choose("Type the number…")
    world.surface.asks[0]("123456")
    assert world.watcher.numbers == ["123456"]
    world.tray.changed(Problem(ProblemKind.NOT_PAIRED, ("x",)))
    world.surface.choose("Pair the tray")
    assert world.watcher.retried == 1


def test_it_speaks_as_the_user_wants(world: World) -> None:
    """From the next change on."""
    try:
        locale.speak("de", {})
        world.prefer(language="en")
        world.tray.changed(DISCONNECTED)
        assert world.surface.faces[-1].title == "Not protected"
    finally:
        locale.speak("en", {})


def test_profiles_that_were_used_come_first(world: World, tmp_path: Path) -> None:
    """Favourites before them."""
    world.tray.changed(replace(CONNECTED, target_profile="paris"))
    files = PosixFiles({"XDG_STATE_HOME": str(tmp_path)}, "")
    assert Recent(files).names == ("paris",)
    assert _profiles(world) == ["paris", "berlin"]
    world.prefer(favourites=("berlin",))
    world.tray.called(("--login",))
    assert _profiles(world) == ["berlin", "paris"]


def _profiles(world: World) -> list[str]:
    return [entry.label for entry in world.surface.faces[-1].menu if entry.key.startswith("profile ")]
