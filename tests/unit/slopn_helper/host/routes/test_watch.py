"""Which notifications may be of something of ours that has gone."""

from __future__ import annotations

import pytest

from slopn_helper.host.routes.plan import PROTOCOL
from slopn_helper.host.routes.watch import concerns_others, concerns_us

OURS = bytes([2, 0, 0, 0, 254, PROTOCOL, 0, 1])
THEIRS = bytes([2, 0, 0, 0, 254, 4, 0, 1])


@pytest.mark.parametrize(
    ("kind", "body", "concerns"),
    [
        (25, OURS, True),
        (25, THEIRS, False),
        (25, b"", False),
        (24, OURS, False),
        (33, bytes(12), True),
        (32, bytes(12), False),
        (21, bytes(8), True),
        (20, bytes(8), False),
        (16, bytes(16), False),
    ],
    ids=[
        "our route",
        "another's route",
        "cut short",
        "new route",
        "rule",
        "new rule",
        "address",
        "new address",
        "link",
    ],
)
def test_what_may_be_ours(kind: int, body: bytes, *, concerns: bool) -> None:
    """Our routes, any rule and any address, once they are gone."""
    assert concerns_us(kind, body) is concerns


@pytest.mark.parametrize(
    ("kind", "body", "concerns"),
    [
        (24, THEIRS, True),
        (25, THEIRS, True),
        (24, bytes([2, 1, 0, 0, 254, 4, 0, 1]), True),
        (24, bytes([2, 24, 0, 0, 254, 4, 0, 1]), False),
        (24, OURS, False),
        (24, b"", False),
        (32, bytes(12), True),
        (33, bytes(12), True),
        (20, bytes(8), False),
    ],
    ids=["default", "gone", "half", "narrow", "ours", "cut short", "rule", "rule gone", "address"],
)
def test_what_may_lead_elsewhere(kind: int, body: bytes, *, concerns: bool) -> None:
    """Wide routes of others, and any rule, coming or going."""
    assert concerns_others(kind, body) is concerns
