"""What a tray shows, as data: an icon's name, a title, a menu. `A` is what the program does for an entry that was chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

A = TypeVar("A")


@dataclass(frozen=True)
class Entry(Generic[A]):
    """One line of a menu."""

    key: str
    """Unlike its neighbours', and the same for as long as the entry is about the same thing."""
    label: str = ""
    """Empty: a line that separates."""
    act: A | None = None
    """What choosing it means; None: it can't be chosen."""
    checked: bool | None = None
    """None: no mark."""
    radio: bool = False
    """The mark says that it is one of several."""
    children: tuple[Entry[A], ...] = ()


@dataclass(frozen=True)
class Face(Generic[A]):
    """All that there is to see."""

    icon: str
    title: str
    """For who points at the icon, and for screen readers."""
    menu: tuple[Entry[A], ...]


class Surface(Protocol):
    """A place for an icon and its menu, and the loop of the thread that draws them. All but `post` is for that thread."""

    animated: bool
    """Whether this user wants things to move."""

    def run(self, started: Callable[[], None]) -> None:
        """Serve the desktop until `stop`; `started` is called first thing inside."""
        ...

    def stop(self) -> None:
        """Take the icon away and let `run` return."""
        ...

    def post(self, do: Callable[[], None]) -> None:
        """Have `do` called on the drawing thread soon. From any thread."""
        ...

    def later(self, seconds: float, do: Callable[[], None]) -> Callable[[], None]:
        """Have `do` called once after so many seconds, unless what this returns is called before."""
        ...

    def show(self, face: Face[Callable[[], None]]) -> None:
        """Show this from now on. A menu that the user has open stays open."""
        ...

    def placed(self, changed: Callable[[bool], None]) -> None:
        """Tell now, and whenever it changes, whether this desktop has a place for an icon."""
        ...

    def ask_number(self, title: str, text: str, given: Callable[[str], None]) -> None:
        """Ask the user for a number, in a window of its own; `given` isn't called when they close it."""
        ...
