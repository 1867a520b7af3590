"""What goes to the terminal: JSON for programs, text without control characters for people."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from slopn_wire import codec

_UNITS = ("B", "KB", "MB", "GB", "TB")


def say(*lines: str) -> None:
    """Lines for a person. What a device's name or an error may hold is shown, never obeyed."""
    for line in lines:
        sys.stdout.write(f"{clean(line)}\n")
    sys.stdout.flush()


def put(text: str) -> None:
    """Text that is ours alone, as it stands: a QR code, a `.conf`."""
    sys.stdout.write(text)
    sys.stdout.flush()


def put_json(document: Any) -> None:
    """A document on stdout, in one line, or indented where a person looks at it. Structs are encoded as on the wire."""
    plain = json.loads(codec.encode(document))
    sys.stdout.write(json.dumps(plain, indent=2 if sys.stdout.isatty() else None) + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned columns, two spaces apart, with their heads."""
    cells = [[clean(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def clean(text: str) -> str:
    """`text` with what a terminal would obey written out; Unicode's marks of writing direction too."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def size(count: float) -> str:
    """A number of bytes: 512 B, 12.4 MB."""
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_UNITS[-1]}"


def moment(at: float | None, never: str = "never") -> str:
    """A Unix time as local time: 2026-01-31 14:02."""
    return never if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def ago(at: float | None, now: float) -> str:
    """How long since: 42 s ago."""
    return "never" if at is None else f"{span(max(0.0, now - at))} ago"


def span(seconds: float) -> str:
    """A length of time in its largest unit: 42 s, 3 min, 5 h, 12 d."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _width(text: str) -> int:
    """Columns on a terminal (UAX #11): two for wide letters, none for those that combine with the one before."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1
        for letter in text
    )
