from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET

import msgspec
import pytest

from slopn_helper.gateway import tokens
from slopn_helper.gateway.tokens import SKEW, Refusal, judge, make, matches
from slopn_helper.gateway.types import Token
from slopn_wire.enrolment import EnrolmentLink

SECRET = bytes(range(32))
LINK = EnrolmentLink("vpn.example.org", 8443, b"p" * 32, SECRET)


def token(**changes: object) -> Token:
    """A token for three devices that lives from 1,000 to 1,600."""
    _, made = make(lambda length: SECRET[:length], "office", uses=3, now=1000.0, lifetime=600.0)
    return msgspec.structs.replace(made, **changes)


def test_only_the_hash_is_kept() -> None:
    """The secret is all the chance there is, and isn't in what is stored."""
    secret, made = make(lambda length: SECRET[:length], "office", uses=3, now=1000.0, lifetime=600.0)
    assert secret == SECRET
    assert made == Token(hashlib.sha256(SECRET).digest(), "office", 3, 3, 1000.0, 1600.0)
    assert SECRET not in msgspec.json.encode(made)


def test_matches_its_own_secret_alone() -> None:
    """One other bit is another secret."""
    assert matches(token(), SECRET)
    assert not matches(token(), SECRET[:-1] + bytes([SECRET[-1] ^ 1]))
    assert not matches(token(), b"")


@pytest.mark.parametrize(
    ("which", "now", "expected"),
    [
        (token(), 1000.0, None),
        (token(), 900.0, None),
        (token(), 1600.0 + SKEW - 0.1, None),
        (token(), 1600.0 + SKEW, Refusal.EXPIRED),
        (token(left=0), 1000.0, Refusal.SPENT),
        (token(left=0), 1700.0, Refusal.EXPIRED),
        (token(revoked=1.0, left=0), 1700.0, Refusal.REVOKED),
        (None, 1000.0, Refusal.UNKNOWN),
    ],
)
def test_judge(which: Token | None, now: float, expected: Refusal | None) -> None:
    """A token is taken while it lives, with the clocks' difference, and has a use left."""
    assert judge(which, now) is expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "a\nb"},
        {"label": "a" * 65},
        {"uses": 0},
        {"uses": 100_001},
        {"lifetime": 0.0},
        {"lifetime": float("nan")},
    ],
)
def test_make_refuses(wrong: dict[str, object]) -> None:
    """What makes no sense is refused with a sentence."""
    good: dict[str, object] = {"label": "office", "uses": 1, "now": 0.0, "lifetime": 1.0}
    with pytest.raises(ValueError, match=r"^A token.*\.$|^A token's.*\.$"):
        make(lambda length: SECRET[:length], **(good | wrong))  # type: ignore[arg-type]


def test_qr_codes() -> None:
    """The terminal gets lines of equal width; the SVG is an image of its own and holds no script."""
    lines = [line for line in tokens.qr_terminal(LINK).splitlines() if line]
    assert len(lines) > 20
    svg = ET.fromstring(tokens.qr_svg(LINK))  # noqa: S314 - our own text
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert {each.tag.rpartition("}")[2] for each in svg.iter()} == {"svg", "path"}
