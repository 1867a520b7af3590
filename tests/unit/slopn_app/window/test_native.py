"""Files that are dropped on the window reach the program, whatever the page says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slopn_app.window.native import Dropped


def test_what_native_code_notes_is_what_was_dropped() -> None:
    """By path, and it isn't kept."""
    heard: list[Sequence[Path]] = []
    dropped = Dropped(heard.append)
    dropped += [("a.conf", "/home/joe/a.conf")]
    assert heard == [[Path("/home/joe/a.conf")]]
    assert list(dropped) == []
