"""What goes to the terminal: JSON for programs, text without control characters for people."""

from __future__ import annotations

import json
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
_UNITS = ("B", "KB", "MB", "GB", "TB")


def clean(text: str) -> str:
    """`text` with control characters shown instead of obeyed; new lines and tabs stay."""
    return text.translate(_CONTROL)


def say(*lines: str) -> None:
    """Lines for a person, on stdout; they are out before anything goes to stderr, also where both are one pipe."""
    for line in lines:
        print(clean(line))
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


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as aligned columns, two spaces apart."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def size(count: int) -> str:
    """A number of bytes with three or four digits: 512 B, 12.4 MB."""
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {_UNITS[-1]}"


def clock(at: float, now: float) -> str:
    """A Unix time as local time: 14:02, with the date unless it is today's."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)


def ago(seconds: float) -> str:
    """A duration in its largest unit: 12 s, 3 min, 5 h, 2 days."""
    seconds = max(seconds, 0.0)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"
