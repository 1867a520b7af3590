"""What tray and window ask of the desktop beside the icon. For types alone: nothing imports this at run time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slopn_app.desktop.faces import Surface

Words = tuple[str, ...]
"""What a program was started with, its name left out."""


class Instance(Protocol):
    """This process is the only one of its kind that this user has here."""

    def listen(self, called: Callable[[Words], None]) -> None:
        """Have `called`, on a thread of its own, get the words of each later start."""
        ...

    def close(self) -> None:
        """Let another one be."""
        ...


class Notifications(Protocol):
    """Where the desktop tells of what happens. From any thread; nothing raises."""

    def show(
        self,
        title: str,
        text: str,
        buttons: tuple[tuple[str, Callable[[], None]], ...],
        *,
        urgent: bool,
        clicked: Callable[[], None] | None = None,
    ) -> None:
        """Instead of the one that this program has shown before.

        What a button calls, and `clicked` for the rest of it, run on a thread of their own.
        """
        ...

    def clear(self) -> None:
        """It isn't so any more."""
        ...

    def close(self) -> None:
        """The program ends; what is shown stays."""
        ...


class Autostart(Protocol):
    """Whether the tray starts when this user logs in."""

    def enabled(self) -> bool:
        """As it is now."""
        ...

    def enable(self, *, on: bool) -> None:
        """Raises `OSError`."""
        ...


@dataclass(frozen=True)
class Desktop:
    """This desktop's parts.

    `surface`: makes the icon, given the program's name, the folder of rendered icons and the first icon's name; raises
    `ImportError` where there can't be one. `claim`: makes this the only one of its name, or hands the words to the one that is
    and returns None. `call`: hands words to the one that runs; False: none does. `launch`: starts one of our programs.
    """

    surface: Callable[[str, Path, str], Surface]
    notifications: Callable[[str, Path], Notifications]
    autostart: Autostart
    claim: Callable[[str, Words], Instance | None]
    call: Callable[[str, Words], bool]
    launch: Callable[[str, Words], None]
