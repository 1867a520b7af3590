"""Where lines go besides the ring: stderr as text or for the journal, and a file. Each is written by a thread of its own.

A stream that nobody reads, a journal that stands still and a slow disk hold up that thread alone. What waits for it is
bounded; what doesn't fit is counted, and told when it goes on.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TextIO

from slopn_wire.codec import encode
from slopn_wire.logs import LogLine

MOST_WAITING = 1 << 20
"""Bytes of a sink's lines that wait to be written."""
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_COLOUR = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_PLAIN = "\x1b[0m"

Render = Callable[[LogLine], str]
Write = Callable[[Sequence[str]], None]


class Sink:
    """Renders lines and hands them to `write`, many at a time, from a thread that ends with the process."""

    def __init__(self, render: Render, write: Write, name: str) -> None:
        self._render = render
        self._write = write
        self._waiting: deque[LogLine] = deque()
        self._size = 0
        self._missed = 0
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"log-{name}", daemon=True)
        self._thread.start()

    def put(self, line: LogLine) -> None:
        """Take `line`; never waits. From any thread."""
        with self._changed:
            if self._size > MOST_WAITING or self._closed:
                self._missed += 1
                return
            self._waiting.append(line)
            self._size += len(line.message)
            if not self._busy:
                self._changed.notify_all()

    def flush(self, within: float = 2.0) -> None:
        """Return once everything is written, or after `within` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._busy, within)

    def close(self, within: float = 2.0) -> None:
        """Flush and end the thread."""
        self.flush(within)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(within)

    def _run(self) -> None:
        while (lines := self._take()) is not None:
            # A stream that is gone (closed pipe, full disk) must not take the helper along.
            with contextlib.suppress(OSError, ValueError):
                self._write([self._render(line) for line in lines])

    def _take(self) -> list[LogLine] | None:
        """All that waits; None: closed."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            lines = list(self._waiting)
            if self._missed:
                told = f"{self._missed} lines are missing here: they came quicker than they could be written"
                lines.append(LogLine(0, time.time(), "warning", "logs", told))
            self._waiting.clear()
            self._size = self._missed = 0
            self._busy = True
            return lines


def to_stream(stream: TextIO) -> Write:
    """Writes and flushes."""

    def write(texts: Sequence[str]) -> None:
        stream.write("".join(texts))
        stream.flush()

    return write


def text(line: LogLine) -> str:
    """For people: clock, level, component and message; a message's further lines are indented.

    So it can't forge the beginning of another line.
    """
    return f"{_clock(line)} {line.level:<8}{_said(line)}\n"


def coloured(line: LogLine) -> str:
    """For people at a terminal."""
    colour = _COLOUR.get(line.level)
    return text(line) if colour is None else f"{_clock(line)} {colour}{line.level:<8}{_said(line)}{_PLAIN}\n"


def journal(line: LogLine) -> str:
    """For systemd: the priority (sd-daemon(3)), then the line as JSON, as in the file and in `slopn logs --json`."""
    return f"<{_PRIORITY.get(line.level, 6)}>{as_json(line)}"


def as_json(line: LogLine) -> str:
    """One line of JSON; what a message says can't get out of its string."""
    return encode(line).decode() + "\n"


def is_journal(stream: TextIO) -> bool:
    """Whether `stream` is the journal's socket, as systemd.exec(5) tells by $JOURNAL_STREAM: device and inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def wants_colour(stream: TextIO) -> bool:
    """A terminal, and nobody has set NO_COLOR."""
    try:
        return stream.isatty() and not os.environ.get("NO_COLOR")
    except ValueError:
        return False


def _clock(line: LogLine) -> str:
    return time.strftime("%H:%M:%S", time.localtime(line.at))


def _said(line: LogLine) -> str:
    return f"{line.component}: {line.message}".replace("\n", "\n    ")
