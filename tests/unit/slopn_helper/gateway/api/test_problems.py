from __future__ import annotations

import json

import pytest

from slopn_helper.gateway.api.problems import FAILED, Refused, refusal
from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.registry.errors import (
    Ended,
    KeyTaken,
    PoolExhausted,
    RegistryError,
    TokenRefused,
    Unavailable,
    UnknownDevice,
    WrongSchema,
)
from slopn_helper.gateway.tokens import Refusal


@pytest.mark.parametrize(
    ("error", "status", "code", "why"),
    [
        (TokenRefused(Refusal.SPENT), 403, "bad_token", Why.BAD_TOKEN),
        (KeyTaken(), 409, "key_taken", None),
        (PoolExhausted("IPv4"), 409, "pool_exhausted", None),
        (Ended("abc"), 410, "ended", None),
        (UnknownDevice("abc"), 404, "unknown_device", None),
        (Unavailable("gone"), 503, "unavailable", None),
        (WrongSchema("newer"), 503, "unavailable", None),
    ],
    ids=repr,
)
def test_the_registrys_errors(error: RegistryError, status: int, code: str, why: Why | None) -> None:
    """Each has its status, its word and its blame, and a sentence that tells a stranger nothing of the database."""
    refused = refusal(error, "laptop")
    assert (refused.answer().status, refused.problem.code, refused.why) == (status, code, why)
    assert refused.problem.message.endswith(".")
    assert "gone" not in refused.problem.message
    assert refused.said == ("laptop" if why else "")


def test_headers() -> None:
    """Whole seconds, never none; the method that is allowed; the end of a connection."""
    assert refusal(Unavailable("gone", 5.0)).answer().headers == ((b"retry-after", b"5"),)
    assert Refused("too_many", "No.", retry_after=0.05).answer().headers == ((b"retry-after", b"1"),)
    assert Refused("method", "No.", allow="POST").answer(close=True).headers == (
        (b"allow", b"POST"),
        (b"connection", b"close"),
    )


def test_the_body_is_an_api_problem() -> None:
    """Also of our own mistakes."""
    assert json.loads(Refused("bad_proof", "No.", field="proof").answer().body) == {
        "code": "bad_proof",
        "message": "No.",
        "field": "proof",
    }
    assert json.loads(FAILED.body)["code"] == "unavailable"
