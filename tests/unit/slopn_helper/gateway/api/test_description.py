from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from slopn_helper.gateway.api.description import METHODS, document
from slopn_helper.gateway.api.problems import STATUS, Refused
from slopn_wire.codec import encode
from slopn_wire.enrolment_api import Enrol

DOCUMENT = json.loads(encode(document()))


def validator(name: str) -> Any:
    """Of one of its types."""
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def test_every_path_and_nothing_else() -> None:
    """With its one method."""
    assert {path: next(iter(found)).upper() for path, found in DOCUMENT["paths"].items()} == METHODS
    assert all(len(found) == 1 for found in DOCUMENT["paths"].values())


def test_every_status_that_a_refusal_can_have_is_described() -> None:
    """Somewhere; not found has no path that it could stand at."""
    described = {
        int(status)
        for found in DOCUMENT["paths"].values()
        for operation in found.values()
        for status in operation["responses"]
    }
    assert described == {200, 500, *STATUS.values()}


def test_every_reference_is_there() -> None:
    """None points into the void."""
    text = json.dumps(DOCUMENT)
    for name in DOCUMENT["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text
    for part in text.split('"$ref": "#/components/schemas/')[1:]:
        assert part.split('"')[0] in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("code", sorted(STATUS))
def test_problems_are_as_described(code: str) -> None:
    """By another implementation's word."""
    assert validator("ApiProblem").is_valid(json.loads(Refused(code, "No.").answer().body))


def test_a_request_is_as_described() -> None:
    """And one with a short key isn't."""
    good = json.loads(encode(Enrol(bytes(32), "laptop", bytes(range(32)), b"1234", bytes(32))))
    assert validator("Enrol").is_valid(good)
    assert not validator("Enrol").is_valid(good | {"public_key": "eA=="})
    assert not validator("Enrol").is_valid(good | {"more": 1})
