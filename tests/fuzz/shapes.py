"""JSON that is nearly right: what a fuzzer of bytes hardly ever finds behind a decoder that it can't look into."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from slopn_wire.framing import frame

_RAW = [
    "1e999",
    "-1e999",
    "NaN",
    "-0",
    "-0.0",
    "0.1e1",
    "1.0",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1" * 400,
    '"\\ud800"',
    '"\\u0000"',
    '"\\/"',
    '"\x00"',
    "[" * 2000,
    '{"a":' * 500,
    "[]",
    "{}",
    "null",
    "true",
    '""',
    '"' + "x" * 5000 + '"',
    '"10.0.0.1"',
    '"fe80::1%eth0"',
    '"10.0.0.1/33"',
    '"AAAA"',
    '"A"',
]
"""Values as they are written, right and wrong ones."""
_MARK = "raw value number %d"


def nearly(chance: random.Random, documents: Sequence[bytes]) -> bytes:
    """One of the documents, as it is or with up to three changes, written in one of several ways."""
    value = json.loads(chance.choice(documents))
    raw: list[str] = []
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        value = _changed(chance, value, json.loads(chance.choice(documents)), raw)
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, None, 1)))
    for number, written in enumerate(raw):
        text = text.replace(json.dumps(_MARK % number), written)
    return text.encode("utf-8", errors="surrogatepass")


def stream(chance: random.Random, documents: Sequence[bytes], head: int, rubbish: Sequence[bytes]) -> bytes:
    """A few frames of documents behind `head` random bytes; now and then rubbish between them, or a cut end."""
    parts = [chance.randbytes(head)]
    for _ in range(chance.randint(1, 4)):
        parts.append(frame(nearly(chance, documents)))
        if chance.random() < 0.1:
            parts.append(chance.choice(rubbish))
    made = b"".join(parts)
    return made[: chance.randint(0, len(made))] if chance.random() < 0.1 else made


def _changed(chance: random.Random, value: Any, other: Any, raw: list[str]) -> Any:
    """`value` with one change at one place."""
    places = [place for place in _places(value) if place]
    if not places:
        return other
    *path, last = chance.choice(places)
    holder = value
    for step in path:
        holder = holder[step]
    match chance.randrange(5):
        case 0:
            raw.append(chance.choice(_RAW))
            holder[last] = _MARK % (len(raw) - 1)
        case 1:
            del holder[last]
        case 2 if isinstance(holder, dict):
            holder[chance.choice(("type", "x", last + "_", last.upper()))] = holder[last]
        case 2:
            holder.append(holder[last])
        case 3:
            holder[last] = chance.choice([_at(other, place) for place in _places(other)])
        case _:
            holder[last] = [holder[last]]
    return value


def _places(value: Any) -> list[tuple[Any, ...]]:
    """The path to each value inside, and the empty one to the whole."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [(), *((key, *path) for key, member in inner for path in _places(member))]


def _at(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        value = value[step]
    return value
