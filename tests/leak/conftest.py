"""One world for each kind of host, made anew after a case that failed halfway, and the file that the report is made of."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leak.case import Row
from leak.world import World

RESULTS = "LEAK_RESULTS"
"""Environment: the file that gets a JSON object a line, one for each case. Unset: nothing is written."""


class Worlds:
    """The world in use; asked for another kind, it ends and that one is made."""

    def __init__(self) -> None:
        self._world: World | None = None
        self._kind: tuple[object, ...] = ()

    def get(self, *, plain: bool = False, daemon: str | None = None) -> World:
        """One of this kind, at any state."""
        if self._world is None or self._kind != (plain, daemon):
            self.end()
            self._world, self._kind = World(plain=plain, daemon=daemon).__enter__(), (plain, daemon)
        return self._world

    def end(self) -> None:
        """After a failure nobody knows in which state it is."""
        world, self._world = self._world, None
        if world is not None:
            world.__exit__(None, None, None)


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """All cases share them; their senders shall not go on beside other tests."""
    made = Worlds()
    yield made
    made.end()


@pytest.fixture(scope="session")
def note() -> Callable[[Row], None]:
    """Put a row into the file of results."""
    path = os.environ.get(RESULTS)

    def write(row: Row) -> None:
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row.as_json()) + "\n")

    return write
