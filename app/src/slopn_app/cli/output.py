"""What goes to the terminal: JSON for programs, text without control characters for people."""

from __future__ import annotations

import json
import os
import sys
import time

from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, TextIO

    Span = tuple[str, str]
    """Text, and what it means: one of `COLOURS`, or nothing."""
    Line = str | tuple[Span, ...]
    """One line for a person."""

COLOURS = {"good": "32", "attention": "33", "bad": "31", "faint": "2"}
"""By meaning, as SGR numbers of ECMA-48. A colour says again what the words say; it never says anything alone."""
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
_UNITS = ("B", "KB", "MB", "GB", "TB")


def clean(text: str) -> str:
    """`text` with control characters shown instead of obeyed; new lines and tabs stay."""
    return text.translate(_CONTROL)


def colours(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that shows colours, and the user wants them (no-color.org)."""
    terminal = os.environ.get("TERM", "dumb") != "dumb" or "WT_SESSION" in os.environ
    return terminal and not os.environ.get("NO_COLOR") and stream.isatty()


def dressed(line: Line, *, coloured: bool) -> str:
    """`line` as it is printed: what came from outside is cleaned, only our own colours are escapes."""
    if isinstance(line, str):
        return clean(line)
    return "".join(
        f"\x1b[{COLOURS[kind]}m{clean(text)}\x1b[0m" if coloured and kind else clean(text) for text, kind in line
    )


def say(*lines: Line) -> None:
    """Lines for a person, on stdout; they are out before anything goes to stderr, also where both are one pipe."""
    coloured = any(not isinstance(line, str) for line in lines) and colours(sys.stdout)
    for line in lines:
        print(dressed(line, coloured=coloured))
    sys.stdout.flush()


def warn(*lines: str) -> None:
    """Lines beside the result, on stderr."""
    try:
        for line in lines:
            print(clean(line), file=sys.stderr)
    except OSError:
        pass  # a stderr that is full or gone changes nothing about what was done, nor the exit status


def put_json(document: Any) -> None:
    """`document` on stdout: one line, or indented where a person looks at it."""
    print(json.dumps(document, indent=2 if sys.stdout.isatty() else None), flush=True)


def put_json_lines(*documents: Any) -> None:
    """`documents` on stdout, each as one of many lines, out at once."""
    sys.stdout.write("".join(json.dumps(document, separators=(",", ":")) + "\n" for document in documents))
    sys.stdout.flush()


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as aligned columns, two spaces apart."""
    # Cleaned here already: what is shown instead of a control character takes more room than it.
    cells = [[clean(cell.replace("\n", " ")) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in cells]


def width(text: str) -> int:
    """Columns that `text` takes on a terminal: two for East Asian wide characters, none for combining ones (UAX #11)."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(char) in {"Mn", "Me", "Cf"} else 2 if east_asian_width(char) in {"W", "F"} else 1 for char in text
    )


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns`; an ellipsis stands for what doesn't fit."""
    if width(text) <= columns:
        return text
    end = min(len(text), columns)
    while end and width(text[:end]) > columns - 1:
        end -= 1
    return text[:end] + "…" if columns > 0 else ""


def size(count: float) -> str:
    """A number of bytes with three or four digits: 512 B, 12.4 MB."""
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {_UNITS[-1]}"


def clock(at: float, now: float) -> str:
    """A Unix time as local time: 14:02, with the date unless it is today's."""
    then, today = _local(at), _local(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)


def stamp(at: float) -> str:
    """A Unix time as local date and time, to the second: 2026-01-31 14:02:03."""
    return time.strftime("%Y-%m-%d %H:%M:%S", _local(at))


def day(at: float) -> str:
    """The local date of a Unix time: 2026-01-31."""
    return time.strftime("%Y-%m-%d", _local(at))


def ago(seconds: float) -> str:
    """A duration in its largest unit: 12 s, 3 min, 5 h, 2 days."""
    seconds = max(seconds, 0.0)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return t("{count} days", count=f"{seconds / 86_400:.0f}")


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _local(at: float) -> time.struct_time:
    """Local time; a moment beyond what the system can show becomes the nearest it can."""
    try:
        return time.localtime(at)
    except (OverflowError, ValueError, OSError):
        return time.localtime(0 if at < 0 else 253_000_000_000)
