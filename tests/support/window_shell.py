"""A shell for a window that isn't there: its clock and its page are moved by the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class FakeShell:
    """A `Shell`. `taken`: batches of pushes that the page has got; `answers`: what its calls were answered, by number.

    While it is `stuck` the page takes nothing more; `busy` holds what is to be called once it has.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.taken: list[list[dict[str, Any]]] = []
        self.answers: dict[int, dict[str, Any]] = {}
        self.busy: list[Callable[[], None]] = []
        self.stuck = False
        self.chosen: Sequence[Path] = ()
        self.place_for: Path | None = None
        self.proposed: list[str] = []
        self.copied: list[str] = []
        self.told: list[str] = []
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._lock = threading.Lock()

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """As the interface."""
        with self._lock:
            self._due.append((self.now + seconds, do))

    def deliver(self, text: str, done: Callable[[], None]) -> None:
        """As the interface."""
        assert text.isascii()
        found = json.loads(text)
        if "pushes" in found:
            self.taken.append(found["pushes"])
        else:
            assert found["id"] not in self.answers, "answered twice"
            self.answers[found["id"]] = json.loads(found["text"])
        if self.stuck:
            self.busy.append(done)
        else:
            done()

    def pick(self, chosen: Callable[[Sequence[Path]], None]) -> None:
        """As the interface."""
        chosen(self.chosen)

    def place(self, name: str, chosen: Callable[[Path | None], None]) -> None:
        """As the interface."""
        self.proposed.append(name)
        chosen(self.place_for)

    def copy(self, text: str) -> None:
        """As the interface."""
        self.copied.append(text)

    def tell(self, text: str) -> None:
        """As the interface."""
        self.told.append(text)

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass on the desktop's thread."""
        end = self.now + seconds
        while True:
            with self._lock:
                due = [each for each in self._due if each[0] <= end]
                if not due:
                    break
                first = min(due, key=lambda each: each[0])
                self._due.remove(first)
                self.now = max(self.now, first[0])
            first[1]()
        self.now = end

    @property
    def pushed(self) -> list[dict[str, Any]]:
        """All pushes, oldest first."""
        return [push for batch in self.taken for push in batch]

    def kinds(self) -> list[str]:
        """Of all pushes."""
        return [push["kind"] for push in self.pushed]
