"""What is wrong with a file, and where; nothing in it ever quotes a key."""

from __future__ import annotations

import re

_KEY_MATERIAL = re.compile(r"[A-Za-z0-9+/]{16}|(?:[A-Za-z0-9+/][^A-Za-z0-9+/]*){33}")
"""A third of a key in one piece, or three quarters in several; an IPv6 address has up to 32 digits."""
_WHITESPACE = re.compile(r"[ \t\n\v\f\r]+")
_SHOWN = 60
_NAME_SHOWN = 255
"""Of the file's name: the longest that Linux has (limits.h, NAME_MAX)."""


class Defect(Exception):
    """A defect at a place in the text, for inside the package: `parse` adds the file's name."""

    def __init__(self, line: int, column: int, found: str, allowed: str) -> None:
        super().__init__(found)
        self.line = line
        self.column = column
        self.found = found
        self.allowed = allowed


class ConfError(ValueError):
    """A wg-quick file that is not accepted. As text: `file:line:column: what was found; what is allowed`.

    Lines and columns count from 1, columns in characters; they point at the first character of the offending token.
    """

    def __init__(self, filename: str, line: int, column: int, found: str, allowed: str) -> None:
        self.filename = filename
        self.line = line
        self.column = column
        self.found = found
        self.allowed = allowed
        # Whoever imports a file says what it is called, and the message is remembered for a retry.
        shown = filename if len(filename) <= _NAME_SHOWN else f"…{filename[-_NAME_SHOWN + 1 :]}"
        super().__init__(f"{printable(shown)}:{line}:{column}: {self.message}")

    @property
    def message(self) -> str:
        """What was found and what is allowed, without the place."""
        return f"{self.found}; {self.allowed}"


def quoted(text: str) -> str:
    """`text` for a message: in quotes, cut, escaped, or only described if it might hold part of a key."""
    if _KEY_MATERIAL.search(_WHITESPACE.sub("", text)):
        return f"a word of {len(text)} characters"
    if len(text) > _SHOWN:
        text = text[: _SHOWN - 1] + "…"
    return f"“{printable(text)}”"


def printable(text: str) -> str:
    """`text` with everything that a terminal would obey instead of show written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
