"""Reads requests: what is wrong with one is said with the member that it is wrong in. Pure."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from msgspec import Struct

from slopn_helper.gateway.api.problems import Refused
from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.devices import MAX_NAME
from slopn_wire.enrolment_api import MOST_BYTES

T = TypeVar("T", bound=Struct)

LENGTHS = {"token": 32, "public_key": 32, "next_key": 32, "proof": 32, "next_proof": 32}
"""Bytes of the requests' binary members."""
_WHERE = re.compile(r"field `(\w+)`$|at `\$\.(\w+)`$")


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    """A request for a challenge: an empty object."""


def read(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """A request's body. Raises `Refused` with `bad_request`."""
    try:
        message = decoder.decode(body)
    except msgspec.ValidationError as error:
        found = _WHERE.search(str(error))
        raise wrong(str(error), None if found is None else found[1] or found[2]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise wrong("it is no JSON", None) from None
    for field, length in LENGTHS.items():
        value = getattr(message, field, None)
        if value is not None and len(value) != length:
            raise wrong(f"`{field}` must be {length} bytes in base64, and is {len(value)}", field)
    name = getattr(message, "name", None)
    if name is not None and not 1 <= len(name) <= MAX_NAME:
        raise wrong(f"`name` must have 1 to {MAX_NAME} characters, and has {len(name)}", "name")
    return message


def wrong(what: str, field: str | None) -> Refused:
    """The refusal of a request that isn't one; `what` ends a sentence."""
    return Refused("bad_request", f"The request can't be read: {what}.", field=field, why=Why.ENROLMENT)


def too_large() -> Refused:
    """A body above the limit."""
    return Refused("too_large", f"A request has at most {MOST_BYTES} bytes.", why=Why.ENROLMENT)
