"""What the demo shows: steps, ticks and one live line; colours and motion on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from typing import Self, TextIO

_GREEN, _AMBER, _RED, _BOLD, _DIM, _PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_INDENT = "     "


class Screen:
    """Writes to `out`. The live line is redrawn in place on a terminal; elsewhere each new text is a line of its own."""

    def __init__(self, out: TextIO | None = None, *, plain: bool = False) -> None:
        self._out = out or sys.stdout
        self._pretty = not plain and self._out.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._pretty and not os.environ.get("NO_COLOR")
        self._unicode = "utf" in (self._out.encoding or "").lower()
        self._lock = threading.Lock()
        self._live = ""
        self._detail = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._pretty:
            self._thread = threading.Thread(target=self._spin, name="screen", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._wipe()
            self._out.flush()

    def text(self, *lines: str) -> None:
        """Lines as they are."""
        for line in lines:
            self._line(line)

    def title(self, text: str) -> None:
        """The heading of the whole."""
        self._line("", f"  {self._paint(_BOLD, text)}", f"  {self._paint(_DIM, '─' * len(text))}")

    def step(self, number: int, title: str, explanation: str) -> None:
        """A step begins."""
        self._detail = ""
        self._line("", f"  {self._paint(_BOLD, f'{number}  {title}')}", f"{_INDENT}{self._paint(_DIM, explanation)}")

    def command(self, text: str) -> None:
        """What a person would type."""
        self._line(f"{_INDENT}{self._paint(_DIM, '$')} {text}")

    def tick(self, text: str) -> None:
        """Something was seen as it should be."""
        self._line(f"{_INDENT}{self._paint(_GREEN, '✓')} {text}")

    def cross(self, text: str, seen: str) -> None:
        """Something was seen as it should not be."""
        self._detail = ""
        self._line(f"{_INDENT}{self._paint(_RED, '✗ ' + text)}")
        for line in seen.splitlines():
            self._line(f"{_INDENT}  {line}")

    def verdict(self, text: str, *, good: bool) -> None:
        """The last line."""
        self._live = self._detail = ""
        self._line("", f"  {self._paint((_GREEN if good else _RED) + _BOLD, text)}", "")

    def state(self, title: str, line: str, policy: str) -> None:
        """The tunnel's state as the helper tells it, from now on."""
        colour = {"tunnelled": _GREEN, "blocked": _AMBER, "open": _RED}.get(policy, _DIM)
        if not self._pretty and title != self._live:
            self._line(f"{_INDENT}· {title} · {line}")
        with self._lock:
            self._live = f"{self._paint(colour, title)} {self._paint(_DIM, line)}" if self._pretty else title

    def detail(self, text: str) -> None:
        """What is being done right now, behind the state; shown on a terminal only."""
        self._detail = text

    def _spin(self) -> None:
        turn = 0
        while not self._stop.wait(0.08):
            turn += 1
            with self._lock:
                self._draw(_SPINNER[turn % len(_SPINNER)])

    def _draw(self, mark: str) -> None:
        self._wipe()
        shown = " · ".join(part for part in (self._detail, self._live) if part)
        if shown:
            self._out.write(f"{_INDENT}{mark} {_cut(shown, shutil.get_terminal_size().columns - 8)}")
        self._out.flush()

    def _line(self, *lines: str) -> None:
        with self._lock:
            self._wipe()
            for line in lines:
                self._out.write(self._plain_marks(line) + "\n")
            self._out.flush()

    def _wipe(self) -> None:
        if self._pretty:
            self._out.write("\r\x1b[2K")

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colour else text

    def _plain_marks(self, text: str) -> str:
        if self._unicode:
            return text
        for mark, instead in {"✓": "[ok]", "✗": "[FAILED]", "─": "-", "═": "=", "·": "-", "…": "...", "–": "-"}.items():
            text = text.replace(mark, instead)
        return text.encode("ascii", "replace").decode()


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __str__(self) -> str:
        return duration(self.seconds)

    @property
    def seconds(self) -> float:
        """As a number."""
        return time.monotonic() - self._start


def duration(seconds: float) -> str:
    """A duration for a person: `43 ms`, `2.1 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _cut(text: str, width: int) -> str:
    """`text` cut to `width` visible characters; colours take no room."""
    shown, at = 0, 0
    while at < len(text) and shown < width:
        if text[at] == "\x1b":
            at = text.index("m", at) + 1
            continue
        shown, at = shown + 1, at + 1
    return text[:at] + (_PLAIN if "\x1b" in text[:at] else "")
