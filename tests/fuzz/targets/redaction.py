"""What is logged never holds a key, however it is written and whatever stands around it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

from fuzz.bytestream import Feed
from slopn_helper.logs import redact

FORMS: tuple[Callable[[bytes], str], ...] = (
    lambda key: base64.b64encode(key).decode(),
    lambda key: base64.urlsafe_b64encode(key).decode(),
    bytes.hex,
    lambda key: key.hex().upper(),
    lambda key: quote(base64.b64encode(key).decode(), safe=""),
    lambda key: json.dumps(base64.b64encode(key).decode())[1:-1].replace("/", "\\/"),
    lambda key: repr(list(key))[1:-1],
)
"""How programs write 32 bytes."""


def target(data: bytes) -> None:
    """A key between any two texts is gone, and no half of it is left."""
    feed = Feed(data)
    key = feed.take(32)
    form = FORMS[feed.number(255) % len(FORMS)]
    before, after = feed.text(), feed.rest().decode("utf-8", errors="replace")
    # All one byte isn't a key but a line of dashes.
    if len(key) < 32 or len(set(key)) < 8:
        return
    written = form(key)
    # Escaping may make of what stands beside the key something like a part of it.
    around = f"{before} {after} {json.dumps(before, ensure_ascii=False)}"
    assert_hidden(written, redact(f"{before} {written} {after}"), around)
    assert_hidden(written, redact(json.dumps({"key": written, "text": before}, ensure_ascii=False)), around)
    assert_hidden(written, redact(f"{written}\n{around}"), around)


def assert_hidden(written: str, shown: str, around: str) -> None:
    """No half of the key can be read, but for what stands beside it by chance."""
    half = len(written) // 2
    for start in range(len(written) - half + 1):
        part = written[start : start + half]
        assert part not in shown or part in around, f"{part!r} of {written!r} is still in {shown!r}"


def seeds() -> list[bytes]:
    """Each form once, in words that a log is made of."""
    key = bytes(range(100, 132))
    around = [b"\x10private_key = x \xc3\xa9", b'\x05{"a":"', b"\x00", b"\x08-----BEGIN", b"\x0cb'\\x00\\x01\\x02"]
    return [key + bytes([form]) + around[form % len(around)] + b' and "more" [1, 2]\n' for form in range(len(FORMS))]
