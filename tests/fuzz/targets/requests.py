"""The codec, from the helper's side: any bytes are a request or one of three errors that the session knows."""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path

import jsonschema_rs
import msgspec

from fuzz import shapes
from slopn_wire.codec import encode, request_decoder
from slopn_wire.commands import Request
from support.wire import examples

SCHEMA = Path(__file__).resolve().parents[3] / "helper/wire/schema/request.json"


def target(data: bytes) -> None:
    """What is accepted means the same on the way back, to another JSON parser and to the exported schema."""
    try:
        request = request_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    raw = encode(request)
    assert request_decoder.decode(raw) == request
    assert encode(request_decoder.decode(raw)) == raw
    document = json.loads(data)
    assert document["id"] == request.id
    # Its numbers end at 64 bits; so does `id`, by the session.
    if abs(request.id) < 1 << 53:
        schema().validate(json.loads(raw))


@functools.cache
def schema() -> jsonschema_rs.Validator:
    """What other languages are told about requests."""
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Each command once."""
    return tuple(encode(request) for request in examples(Request))


def build(chance: random.Random) -> bytes:
    """A request, more or less."""
    return shapes.nearly(chance, seeds())
