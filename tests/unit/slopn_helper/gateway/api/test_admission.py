from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.api.admission import Hands, Share, Shares

ONE, OTHER = IPv4Network("192.0.2.1"), IPv6Network("2001:db8::/64")


def test_a_burst_and_then_a_rate() -> None:
    """It is said how long to wait, and that is enough."""
    shares = Shares(Share(3.0, 2.0))
    assert [shares.take(ONE, 10.0) for _ in range(3)] == [None, None, None]
    assert shares.take(ONE, 10.0) == pytest.approx(0.5)
    assert shares.take(OTHER, 10.0) is None
    assert shares.take(ONE, 10.5) is None
    assert shares.take(ONE, 10.5) is not None


def test_a_long_rest_is_worth_one_burst() -> None:
    """Not more."""
    shares = Shares(Share(3.0, 2.0))
    shares.take(ONE, 0.0)
    assert [shares.take(ONE, 1e6) is None for _ in range(4)] == [True, True, True, False]


def test_memory_is_bounded() -> None:
    """Whoever was seen longest ago is forgotten."""
    shares = Shares(Share(1.0, 0.001), most=2)
    for number in range(50):
        shares.take(IPv4Network(f"192.0.2.{number}"), 0.0)
        assert shares.remembered <= 2
    assert shares.take(IPv4Network("192.0.2.49"), 0.0) is not None
    assert shares.take(IPv4Network("192.0.2.0"), 0.0) is None


@given(st.lists(st.floats(0.0, 5.0), max_size=80))
def test_never_above_the_rate(pauses: list[float]) -> None:
    """In any stretch of time: the burst, and what the rate adds to it."""
    shares = Shares(Share(4.0, 2.0))
    now, let = 0.0, []
    for pause in pauses:
        now += pause
        if shares.take(ONE, now) is None:
            let.append(now)
    for first in range(len(let)):
        for last in range(first, len(let)):
            assert last - first + 1 <= 4.0 + 2.0 * (let[last] - let[first]) + 1e-6


def test_hands() -> None:
    """So many at once, and again when one has ended."""
    hands = Hands(2)
    assert [hands.begin() for _ in range(3)] == [True, True, False]
    hands.end()
    assert [hands.begin() for _ in range(2)] == [True, False]
