from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.api.messages import Ask, read, too_large
from slopn_helper.gateway.api.problems import Refused
from slopn_helper.gateway.bans import Why
from slopn_wire.codec import decoder
from slopn_wire.enrolment_api import Enrol

ENROL = decoder(Enrol)
GOOD: dict[str, Any] = {
    "token": b64encode(bytes(32)).decode(),
    "name": "laptop",
    "public_key": b64encode(bytes(32)).decode(),
    "challenge": "",
    "proof": b64encode(bytes(32)).decode(),
}


def test_a_good_one() -> None:
    """As it was sent."""
    assert read(json.dumps(GOOD).encode(), ENROL) == Enrol(bytes(32), "laptop", bytes(32), b"", bytes(32))
    assert read(b"{}", decoder(Ask)) == Ask()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": 7}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"token": "?"}, "token"),
        ({"token": "eA=="}, "token"),
        ({"public_key": None}, "public_key"),
        ({"proof": ""}, "proof"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], field: str) -> None:
    """By its member."""
    with pytest.raises(Refused) as caught:
        read(json.dumps(GOOD | changed).encode(), ENROL)
    assert (caught.value.problem.code, caught.value.problem.field) == ("bad_request", field)
    assert caught.value.why is Why.ENROLMENT


def test_what_is_missing_is_named() -> None:
    """Each in turn."""
    for field in GOOD:
        less = {name: value for name, value in GOOD.items() if name != field}
        with pytest.raises(Refused) as caught:
            read(json.dumps(less).encode(), ENROL)
        assert caught.value.problem.field == field


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 4096, b'{"name":"\\ud800"}', b"{}{}"])
def test_what_is_no_request(body: bytes) -> None:
    """One error, whatever it is."""
    with pytest.raises(Refused) as caught:
        read(body, ENROL)
    assert caught.value.answer().status == 400


@given(st.binary(max_size=200))
def test_nothing_else_comes_out(body: bytes) -> None:
    """Of any bytes."""
    with pytest.raises(Refused):
        read(body, ENROL)


def test_the_token_is_not_repeated() -> None:
    """Neither in the answer nor in what a log would show of the refusal."""
    token = b64encode(b"secret" * 5).decode()
    with pytest.raises(Refused) as caught:
        read(json.dumps(GOOD | {"token": token}).encode(), ENROL)
    assert token not in f"{caught.value!r} {caught.value.problem} {caught.value.answer()}"


def test_too_large() -> None:
    """With its own status."""
    assert too_large().answer().status == 413
