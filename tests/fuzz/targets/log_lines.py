"""A log line of anything: one line of its own on every sink, no key in it, and no call ever fails."""

from __future__ import annotations

import base64
import json
import logging
import sys
from typing import Any

from fuzz.bytestream import Feed
from slopn_helper.logs.processors import LONGEST, formatter
from slopn_helper.logs.sinks import as_json, journal, text
from slopn_wire.codec import decode
from slopn_wire.logs import LogLine

FORMATTER = formatter(lambda message: message)


def target(data: bytes) -> None:
    """A message with arguments or fields, perhaps with an exception, and a key in one of them."""
    feed = Feed(data)
    shape = feed.number(255)
    raw = feed.take(32)
    key = base64.b64encode(raw).decode()
    has_key = len(raw) == 32 and len(set(raw)) >= 8
    pieces = [feed.text(), feed.text(), feed.rest().decode("utf-8", errors="surrogateescape")]
    place = shape % 3
    if has_key:
        pieces[place] += f" {key} "
    message = FORMATTER.format(record(shape >> 2, pieces))
    line = LogLine(1, 1.0, "warning", "fuzz", message)
    assert not has_key or key not in message
    assert len(message) <= LONGEST + 60
    assert json.loads(as_json(line)) == {
        "number": 1,
        "at": 1.0,
        "level": "warning",
        "component": "fuzz",
        "message": message,
    }
    assert decode(as_json(line), LogLine) == line
    for sink in (as_json, journal):
        assert sink(line).count("\n") == 1
    first, *others = text(line).removesuffix("\n").split("\n")
    assert first[2] == first[5] == ":"
    assert all(other.startswith("    ") for other in others)
    assert all(other.isprintable() or not set(other).isdisjoint(UNPRINTABLE) for other in (first, *others))


# What Python won't print as it is, though no terminal obeys it: format characters, unassigned ones, other spaces.
UNPRINTABLE = {chr(code) for code in range(0xA0, sys.maxunicode + 1) if not chr(code).isprintable()}


def record(shape: int, pieces: list[str]) -> logging.LogRecord:
    """As logging and structlog make them."""
    message: Any = pieces[0]
    arguments: tuple[Any, ...] = ()
    match shape % 4:
        case 0:
            message, arguments = "%s: %r %s", tuple(pieces)
        case 1:
            arguments = (pieces[1], 7)
        case 2:
            message = {"event": pieces[0], "detail": pieces[1], "path": pieces[2]}
        case _:
            message = " ".join(pieces)
    made = logging.LogRecord("slopn_helper.fuzz", logging.WARNING, "fuzz.py", 1, message, arguments, None)
    if isinstance(message, dict):
        made._logger, made._name, made._from_structlog = None, "fuzz", True
        made._record = made
    if shape & 32:
        error = OSError(5, pieces[1], pieces[2])
        made.exc_info = (type(error), error, None)
    return made


def seeds() -> list[bytes]:
    """Each way to log, with a key at each place."""
    key = bytes(range(200, 232))
    words = b"\x06hello \x04%s%d" + b"a\nb\r\x1b[0m\xe2\x80\xa8\xff"
    return [bytes([shape]) + key + words for shape in range(0, 256, 9)]
