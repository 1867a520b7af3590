"""Lines, sections and keys of a wg-quick file, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from slopn_helper.conf.errors import Defect, quoted

MAX_TEXT = 256 * 1024
"""Longest file, in characters: about a thousand peers."""
_SPACE = " \t\n\v\f\r"
"""isspace(3) in the C locale, as wg and wg-quick have it; Python's own notion is wider."""
_GAP = re.compile(r"[ \t\n\v\f\r]+")
_WORD = re.compile(r"[^, \t\n\v\f\r]+")


class Token(Struct, frozen=True):
    """A piece of one line, its outer white space trimmed. It may be a key: its repr shows the place only."""

    text: str
    line: int
    column: int

    def __repr__(self) -> str:
        return f"Token({self.line}:{self.column})"

    @property
    def squeezed(self) -> str:
        """The text without any white space, which is how wg(8) reads a line."""
        return _GAP.sub("", self.text)

    def defect(self, found: str, allowed: str) -> Defect:
        """The defect that this token is."""
        return Defect(self.line, self.column, found, allowed)

    def part(self, start: int, end: int | None = None) -> Token:
        """The characters from `start` to before `end`, trimmed."""
        return trimmed(self.text[start:end], self.line, self.column + start)

    def items(self) -> Iterator[Token]:
        """What stands between commas; two commas in a row give an empty item."""
        start = 0
        for piece in self.text.split(","):
            yield self.part(start, start + len(piece))
            start += len(piece) + 1

    def words(self) -> Iterator[Token]:
        """What stands between commas and white space; never an empty word."""
        for match in _WORD.finditer(self.text):
            yield self.part(match.start(), match.end())


class Section(Struct, frozen=True):
    """`[Interface]` or `[Peer]`; `name` is in small letters, without brackets."""

    name: str
    token: Token


class Entry(Struct, frozen=True):
    """`key = value`. The value may be empty; its column is then the one after the `=`."""

    key: Token
    value: Token


def lex(text: str) -> Iterator[Section | Entry]:
    """The file's lines that say something, in order. Raises `Defect` at the first that can't be read."""
    if len(text) > MAX_TEXT:
        raise Defect(1, 1, f"a file of {len(text)} characters", f"at most {MAX_TEXT} are read")
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        nul = line.find("\0")
        if nul >= 0:
            raise Defect(number, nul + 1, "a NUL character", "a wg-quick file is UTF-8 text")
        content = trimmed(line.split("#", 1)[0], number, 1)
        if content.text.startswith("["):
            yield _section(content)
        elif content.text:
            yield _entry(content)


def trimmed(text: str, line: int, column: int) -> Token:
    """`text`, which begins at `column`, as a token without the white space around it; where all is white: its begin."""
    body = text.lstrip(_SPACE)
    if not body:
        return Token("", line, column)
    return Token(body.rstrip(_SPACE), line, column + len(text) - len(body))


def _section(content: Token) -> Section:
    name = content.squeezed.lower()
    if not content.text.isascii() or name not in {"[interface]", "[peer]"}:
        raise content.defect(f"{quoted(content.text)} as section", "the sections are [Interface] and [Peer]")
    return Section(name.strip("[]"), content)


def _entry(content: Token) -> Entry:
    if content.text.startswith((";", "//")):
        raise content.defect("a comment that doesn't begin with #", "comments begin with #")
    key, equals, _ = content.text.partition("=")
    if not equals:
        raise content.defect(f"{quoted(content.text)} without a =", "a line is a [section], key = value, or # comment")
    if not key.strip(_SPACE):
        raise content.defect("a = with no key before it", "a line is a [section], key = value, or # comment")
    return Entry(content.part(0, len(key)), content.part(len(key) + 1))
