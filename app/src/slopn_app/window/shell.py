"""What the window asks of the desktop that it is on. Its methods are called on any thread unless they say otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol


class Shell(Protocol):
    """A window with the page in it."""

    def deliver(self, text: str, done: Callable[[], None]) -> None:
        """Hand ASCII JSON to the page, which takes it in order. `done`: it has it, or is gone; on any thread."""
        ...

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Call back, on the desktop's thread."""
        ...

    def pick(self, chosen: Callable[[Sequence[Path]], None]) -> None:
        """Let the user choose files to read; none if they changed their mind."""
        ...

    def place(self, name: str, chosen: Callable[[Path | None], None]) -> None:
        """Let the user choose where to save something; None if they changed their mind."""
        ...

    def tell(self, text: str) -> None:
        """Show the user a sentence that the page has no place for."""
        ...

    def copy(self, text: str) -> None:
        """Put text into the clipboard."""
        ...


class Listener(Protocol):
    """Who hears from the shell. On the desktop's thread, and quick."""

    def called(self, text: str) -> None:
        """The page, and nothing but the page, says this."""
        ...

    def dropped(self, paths: Sequence[Path]) -> None:
        """The user let go of files over the window."""
        ...

    def gone(self) -> None:
        """The page is there no more, or nobody sees it: nothing is to be delivered until it says that it is ready."""
        ...
