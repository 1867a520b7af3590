"""The helper's log: redacted before it goes anywhere, kept in a ring, followed live, written to stderr.

Under systemd each line begins with its priority, `<6>` and the like (sd-daemon(3)), and the journal adds the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import sys
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self, TextIO

from slopn_wire.events import LogLine

LEVELS = ("debug", "info", "warning", "error", "critical")
"""From talkative to grave, as in `LogLine.level`."""
_RING_BYTES = 2 << 20  # a `Logs` reply with all of it stays far below the wire's limit
_LONGEST = 8192
_FOLLOW_LIMIT = 1000
# Their debug lines are many (each netlink message), and nobody read them for secrets.
_LIBRARIES = ("asyncio", "dbus_fast", "dns", "pyroute2")
_REDACTED = "[redacted]"
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
# 32 bytes in base64 are 43 characters and a `=`; both alphabets of base64, also as JSON and URLs escape them. A run is
# always taken whole, whatever becomes of it: linear time.
_RUN = re.compile(r"((?:[A-Za-z0-9+/_-]|\\/|%2[BbFf])++)(=|%3[Dd])?")
_ESCAPED = re.compile(r"\\/|%2[BbFf]")
_HEX = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64,}+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def redact(text: str) -> str:
    """`text` without anything that looks like a WireGuard key: base64 of 32 bytes, or 64 hexadecimal digits.

    What is glued in front of a key goes with it.
    """
    return _RUN.sub(_hide, text)


class LogStore:
    """The last lines, and their followers. Lines may be added from any thread."""

    def __init__(self, limit: int = _RING_BYTES) -> None:
        self._limit = limit
        self._size = 0
        self._lines: deque[LogLine] = deque()
        self._followers: set[Follower] = set()
        self._lock = threading.Lock()

    def add(self, line: LogLine) -> None:
        """Keep `line`, forget the oldest ones beyond the limit (characters of all messages), tell the followers."""
        with self._lock:
            self._lines.append(line)
            self._size += len(line.message)
            while self._size > self._limit:
                self._size -= len(self._lines.popleft().message)
            followers = tuple(self._followers)
        for follower in followers:
            follower.push(line)

    def lines(self, since: float = 0.0, level: str = "debug") -> tuple[LogLine, ...]:
        """What is kept of `level` and graver, from Unix time `since` on, oldest first.

        Raises `ValueError` for an unknown level.
        """
        _check(level)
        wanted = frozenset(LEVELS[LEVELS.index(level) :])
        with self._lock:
            return tuple(line for line in self._lines if line.at >= since and line.level in wanted)

    def follow(self, limit: int = _FOLLOW_LIMIT) -> Follower:
        """A reader of all lines from now on. Call it inside a running loop, use it as a context."""
        return Follower(self, limit)

    def attach(self, follower: Follower) -> None:
        """Begin to tell `follower`; its context calls this."""
        with self._lock:
            self._followers.add(follower)

    def detach(self, follower: Follower) -> None:
        """Stop telling `follower`; its context calls this."""
        with self._lock:
            self._followers.discard(follower)


class Follower:
    """A bounded queue of log lines. When its reader is too slow, the newest are dropped and counted."""

    def __init__(self, store: LogStore, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._queue: deque[LogLine] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._store.attach(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.detach(self)

    def push(self, line: LogLine) -> None:
        """Queue `line`; never waits, any thread."""
        with self._lock:
            if len(self._queue) >= self._limit:
                self._dropped += 1
                return
            self._queue.append(line)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._wake.set)

    async def next(self) -> LogLine:
        """The next line. After dropped ones a line of this module's says how many are missing."""
        while True:
            with self._lock:
                if self._queue:
                    return self._queue.popleft()
                if dropped := self._dropped:
                    self._dropped = 0
                    return LogLine(
                        time.time(), "warning", __name__, f"{dropped} lines were left out: too slow a reader"
                    )
                self._wake.clear()
            await self._wake.wait()


def setup(level: str, stream: TextIO | None = None, *, journal: bool | None = None) -> LogStore:
    """Send what is logged from `level` up, by libraries from a warning up, to a new `LogStore` and to `stream` (stderr).

    `journal`: lines carry a priority for systemd; None: found out from JOURNAL_STREAM. A second call replaces the first.
    Raises `ValueError` for an unknown level.
    """
    _check(level)
    stream = stream or sys.stderr
    store = LogStore()
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(old)
    root.addHandler(_Handler(store, stream, journal=_is_journal(stream) if journal is None else journal))
    root.setLevel(level.upper())
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    return store


def _check(level: str) -> None:
    if level not in LEVELS:
        raise ValueError(f"unknown log level {level!r}; known: {', '.join(LEVELS)}")


class _Handler(logging.Handler):
    def __init__(self, store: LogStore, stream: TextIO, *, journal: bool) -> None:
        super().__init__()
        self._store = store
        self._stream = stream
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        line = _line(record)
        self._store.add(line)
        # A stderr that is gone (closed pipe, full disk) must not take the helper along.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(_render(line, journal=self._journal))
            self._stream.flush()


def _line(record: logging.LogRecord) -> LogLine:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - whatever an argument's __str__ does, a log call never fails its caller
        message = f"{record.msg!r} (its arguments don't fit)"
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    if record.exc_text:
        message = f"{message}\n{record.exc_text}"
    message = redact(_CONTROL.sub(_escape, message))
    if len(message) > _LONGEST:
        message = f"{message[:_LONGEST]}… ({len(message) - _LONGEST} characters more)"
    return LogLine(record.created, record.levelname.lower(), record.name, message)


def _hide(match: re.Match[str]) -> str:
    run, padding = match.groups()
    if padding and len(_ESCAPED.sub("/", run)) >= 43:
        return _REDACTED
    return _HEX.sub(_REDACTED, match[0])


def _escape(match: re.Match[str]) -> str:
    return " " if match[0] == "\t" else f"\\x{ord(match[0]):02x}"


def _render(line: LogLine, *, journal: bool) -> str:
    # Lines after the first are indented: a message can't forge the beginning of another line.
    text = f"{line.logger}: {line.message}".replace("\n", "\n    ")
    if journal:
        priority = f"<{_PRIORITY.get(line.level, 6)}>"
        return priority + text.replace("\n", f"\n{priority}") + "\n"
    clock = time.strftime("%H:%M:%S", time.localtime(line.at))
    return f"{clock} {line.level:<8}{text}\n"


def _is_journal(stream: TextIO) -> bool:
    """Whether `stream` is the journal's socket, as systemd.exec(5) tells by $JOURNAL_STREAM: device and inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
