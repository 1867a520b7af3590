from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slopn_app.desktop.faces import Entry, Face
from slopn_app.host.status_icon import StatusIcon
from support.until import until

SEPARATOR = object()


class FakeIcon:
    """pystray's, as far as it is used; it draws nothing."""

    def __init__(self, name: str, icon: object, title: str, menu: object) -> None:
        self.name, self.icon, self.title, self.menu = name, icon, title, menu
        self.visible = False
        self.updates = 0
        self._ended = threading.Event()

    def run(self, setup: Callable[[Any], None]) -> None:
        """Until it is stopped."""
        drawing = threading.Thread(target=setup, args=(self,))
        drawing.start()
        self._ended.wait(20.0)
        drawing.join(20.0)

    def stop(self) -> None:
        """At once."""
        self._ended.set()

    def update_menu(self) -> None:
        """As pystray's."""
        self._update_menu()

    def _update_menu(self) -> None:
        self.updates += 1

    def _on_notify(self, _wparam: int, _lparam: int) -> None:
        """The user opens the menu; the surface's other thread goes on."""
        self.update_menu()
        self.update_menu()


@pytest.fixture
def surface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StatusIcon:
    """Over a pystray and pictures that are lists of what they were made of."""
    fake = SimpleNamespace(
        Icon=FakeIcon,
        Menu=SimpleNamespace(SEPARATOR=SEPARATOR),
        MenuItem=lambda *arguments, **more: (arguments, more),
    )
    menu = type("Menu", (tuple,), {"SEPARATOR": SEPARATOR, "__new__": lambda cls, *items: tuple.__new__(cls, items)})
    fake.Menu = menu
    monkeypatch.setitem(sys.modules, "pystray", fake)
    monkeypatch.setitem(sys.modules, "PIL.Image", SimpleNamespace(open=lambda path: path.name))
    return StatusIcon("slopn", tmp_path, "slopn-question", ending=".ico", animated=True)


def test_all_is_drawn_by_one_thread(surface: StatusIcon) -> None:
    """What is posted from anywhere, what was put off, and clicks; what was called off isn't done."""
    done: list[tuple[str, int]] = []

    def note(what: str) -> Callable[[], None]:
        return lambda: done.append((what, threading.get_ident()))

    def started() -> None:
        note("started")()
        surface.later(0.0, note("never"))()
        surface.later(0.05, note("later"))
        surface.later(0.06, surface.stop)
        threading.Thread(target=surface.post, args=(note("posted"),)).start()

    surface.run(started)
    assert [what for what, _ in done] == ["started", "posted", "later"]
    assert len({thread for _, thread in done}) == 1


def test_faces_are_shown_as_far_as_they_differ(surface: StatusIcon) -> None:
    """Icon, title and menu, each by itself; labels of Windows have no underlines."""
    chosen: list[int] = []
    menu: tuple[Entry[Callable[[], None]], ...] = (
        Entry("a", "R&D", lambda: chosen.append(1)),
        Entry("b"),
        Entry("c", "More", children=(Entry("d", "One", lambda: None, checked=True, radio=True),)),
        Entry("e", "Said"),
    )
    surface.show(Face("slopn-tick", "x" * 200, menu))
    icon: Any = surface._icon
    assert (icon.icon, len(icon.title)) == ("slopn-tick.ico", 127)
    first, separator, more, said = icon.menu
    assert first[0][0] == "R&&D"
    assert separator is SEPARATOR
    ((_, act), marks) = more[0][1][0]
    assert callable(act)
    assert (marks["checked"](None), marks["radio"]) == (True, True)
    assert said[1]["enabled"] is False
    shown = icon.menu
    surface.show(Face("slopn-open", "y", menu))
    assert (icon.icon, icon.title) == ("slopn-open.ico", "y")
    assert icon.menu is shown


def test_an_open_menu_is_exchanged_when_it_is_closed(surface: StatusIcon) -> None:
    """Once, however often it changed meanwhile."""
    icon: Any = surface._icon
    icon._on_notify(0, 0)
    assert icon.updates == 1
    icon.update_menu()
    assert icon.updates == 2


def test_these_systems_have_a_place(surface: StatusIcon) -> None:
    """Always."""
    said: list[bool] = []
    surface.placed(said.append)
    until(lambda: said == [True], 1.0, "it is said")
