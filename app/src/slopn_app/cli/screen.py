"""Lines that are drawn again in the same place of a terminal (ECMA-48: CUU, EL, ED)."""

from __future__ import annotations

import os

from slopn_app.cli.output import colours, cut, dressed, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from slopn_app.cli.output import Line


def redraws(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose cursor moves."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Screen:
    """The last lines of a terminal, from where the cursor was."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._coloured = colours(stream)
        self._drawn = 0

    def show(self, lines: list[Line]) -> None:
        """Replace what was shown before; what doesn't fit the terminal is cut."""
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except OSError:
            columns = rows = 0
        if not columns or not rows:
            columns, rows = 80, 24  # a terminal that doesn't know its size, as a serial line
        fitting = [_cut(line, max(columns - 1, 1)) for line in lines[: max(rows - 1, 1)]]
        text = "".join(f"{dressed(line, coloured=self._coloured)}\x1b[K\n" for line in fitting)
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._stream.write(f"{up}\r{text}\x1b[J")
        self._stream.flush()
        self._drawn = len(fitting)


def _cut(line: Line, columns: int) -> Line:
    if isinstance(line, str):
        return cut(line.replace("\n", " "), columns)
    spans = []
    for text, kind in line:
        fitting = cut(text.replace("\n", " "), columns)
        spans.append((fitting, kind))
        columns -= width(fitting)
    return tuple(spans)
