"""What is refused, with its status: one table for the answers and their description. Pure."""

from __future__ import annotations

import math

from msgspec import Struct

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.registry.errors import (
    Ended,
    KeyTaken,
    PoolExhausted,
    RegistryError,
    TokenRefused,
    Unavailable,
    UnknownDevice,
)
from slopn_wire.codec import encode
from slopn_wire.enrolment_api import ApiProblem

STATUS = {
    "bad_request": 400,
    "bad_proof": 403,
    "bad_token": 403,
    "unknown_device": 404,
    "not_found": 404,
    "method": 405,
    "key_taken": 409,
    "pool_exhausted": 409,  # to try again later is no use before an administrator has done something
    "ended": 410,
    "too_large": 413,
    "too_many": 429,
    "unavailable": 503,
}
"""HTTP status by `ApiProblem.code`."""


class Answer(Struct, frozen=True):
    """A response, whole."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Besides the content's type and length."""


class Refused(Exception):
    """A request that isn't done. `why`: what the asker is to be blamed for, None: nothing; `said`: the name it gave."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
        why: Why | None = None,
        said: str = "",
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.problem = ApiProblem(code, message, field)
        self.retry_after = retry_after
        self.why = why
        self.said = said
        self.allow = allow

    def answer(self, *, close: bool = False) -> Answer:
        """As it is sent. `close`: the connection ends with it."""
        headers = []
        if self.retry_after is not None:
            headers.append((b"retry-after", str(max(1, math.ceil(self.retry_after))).encode()))
        if self.allow is not None:
            headers.append((b"allow", self.allow.encode()))
        if close:
            headers.append((b"connection", b"close"))
        return Answer(STATUS[self.problem.code], encode(self.problem), tuple(headers))


FAILED = Answer(
    500,
    encode(ApiProblem("unavailable", "The gateway failed at this; its log says at what. Try again later.")),
    ((b"connection", b"close"),),
)
"""A mistake of ours."""


def refusal(error: RegistryError, name: str = "") -> Refused:
    """What the registry's refusal is to whoever asked. `name`: of the device that was to be enrolled."""
    match error:
        case TokenRefused():
            return Refused("bad_token", str(error), field="token", why=Why.BAD_TOKEN, said=name)
        case KeyTaken():
            return Refused("key_taken", str(error), field="public_key")
        case PoolExhausted():
            sentence = (
                f"The gateway has no {error.family} address left: its administrator must free some, or add a pool."
            )
            return Refused("pool_exhausted", sentence)
        case Ended():
            return Refused("ended", "This enrolment was revoked or has expired: ask for a new link and enrol again.")
        case UnknownDevice():
            return unknown()
        case Unavailable():
            sentence = "The gateway can't reach its database now. Nothing is lost: try again in a moment."
            return Refused("unavailable", sentence, retry_after=error.retry_after)
        case _:
            return Refused("unavailable", "The gateway's database is of no use now: its administrator must see to it.")


def unknown() -> Refused:
    """A key that is no device's which could renew itself."""
    return Refused(
        "unknown_device", "This gateway doesn't know this device: ask for a link and enrol it.", field="public_key"
    )
