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
_MOST = 4096


def target(data: bytes) -> None:
    """A key between any two texts is gone; what was redacted once has nothing more to redact."""
    feed = Feed(data)
    key = feed.take(32)
    form = FORMS[feed.number(255) % len(FORMS)]
    before, after = feed.text(), feed.rest().decode("utf-8", errors="replace")
    assert_settled(redact(f"{before}{after}"))
    # All one byte isn't a key but a line of dashes, and 32 different ones are what keys are like.
    if len(set(key)) < 8:
        return
    written = form(key)
    hidden = redact(f"{before} {written} {after}")
    assert written not in hidden, f"{written!r} is still in {hidden!r}"
    assert_settled(hidden)
    hidden = redact(json.dumps({"key": written, "text": before}, ensure_ascii=False))
    assert written not in hidden, f"{written!r} is still in {hidden!r}"


def assert_settled(text: str) -> None:
    """Redacting is done at several places: the second time changes nothing that matters."""
    assert len(redact(text)) <= len(text) + 12 * (1 + len(text) // 12)


def seeds() -> list[bytes]:
    """Each form once, in words that a log is made of."""
    key = bytes(range(100, 132))
    around = [b"\x10private_key = x \xc3\xa9", b'\x05{"a":"', b"\x00", b"\x08-----BEGIN", b"\x0cb'\\x00\\x01\\x02"]
    return [key + bytes([form]) + around[form % len(around)] + b' and "more" [1, 2]\n' for form in range(len(FORMS))]
