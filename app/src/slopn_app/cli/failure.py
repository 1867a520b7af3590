"""How a verb fails: with an exit status that scripts rely on, and lines for a person."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Exit statuses of `slopn`; stable."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """Wrong usage, or bad input."""
    UNREACHABLE = 3
    NOT_PERMITTED = 4
    TIMED_OUT = 5


class Failure(Exception):
    """Ends the program with `status`; `lines` go to stderr, the first after the program's name."""

    def __init__(self, status: Status, *lines: str) -> None:
        super().__init__(*lines)
        self.status = status
        self.lines = lines
