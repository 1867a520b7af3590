from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_helper.lineup import MOST, Lineup, ordered
from slopn_wire.profile import Endpoint, EnrolledGateway, Enrolment, Profile
from support.fakes import PROFILE


def gateways(count: int) -> tuple[EnrolledGateway, ...]:
    """So many."""
    return tuple(
        EnrolledGateway(Endpoint(f"gw{n}.example.org", 51820), f"key{n}", "", Endpoint(f"gw{n}.example.org", 443))
        for n in range(count)
    )


def enrolled(count: int) -> Profile:
    """At so many gateways."""
    return replace(PROFILE, enrolment=Enrolment("d", gateways(count), (ip_address("10.9.0.1"),), 0.0))


def keys(profile: Profile) -> list[str]:
    """Of its peers."""
    return [peer.public_key for peer in profile.peers]


def test_an_imported_profile_is_left_alone() -> None:
    """Its peers share the networks out among themselves."""
    assert Lineup().next(PROFILE, failing=True) is PROFILE


def test_the_last_good_one_leads_until_an_attempt_has_failed() -> None:
    """Then each attempt begins with another one. All have endpoint, networks and keepalive of the profile's one peer."""
    lineup, profile = Lineup(), enrolled(3)
    assert keys(lineup.next(profile, failing=False)) == ["key0", "key1", "key2"]
    lineup.used("lab", "key2")
    assert keys(lineup.next(profile, failing=False)) == ["key2", "key0", "key1"]
    assert keys(lineup.next(profile, failing=True)) == ["key0", "key1", "key2"]
    assert keys(lineup.next(profile, failing=True)) == ["key1", "key2", "key0"]
    assert keys(lineup.next(profile, failing=False)) == ["key2", "key0", "key1"]
    peer = lineup.next(profile, failing=False).peers[1]
    assert peer.endpoint == Endpoint("gw0.example.org", 51820)
    assert (peer.allowed_ips, peer.persistent_keepalive) == (
        PROFILE.peers[0].allowed_ips,
        PROFILE.peers[0].persistent_keepalive,
    )


def test_who_agrees_no_key_comes_last_until_all_do() -> None:
    """Blame is for that profile alone."""
    lineup, profile = Lineup(), enrolled(2)
    lineup.used("lab", "key0")
    lineup.blame("lab", "key0")
    assert keys(lineup.next(profile, failing=False)) == ["key1", "key0"]
    assert keys(lineup.next(replace(profile, name="other"), failing=False)) == ["key0", "key1"]
    lineup.blame("lab", "key1")
    assert keys(lineup.next(profile, failing=False)) == ["key0", "key1"]


@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 9))
def test_few_at_once_and_each_in_its_turn(count: int, failures: int, last: int) -> None:
    """At most four, none twice; in so many attempts as there are gateways, each is first once."""
    made = gateways(count)
    chosen = ordered(made, f"key{last}", frozenset(), failures)
    assert len(chosen) == len(set(chosen)) == min(count, MOST)
    assert {ordered(made, None, frozenset(), failures + n)[0] for n in range(count)} == set(made)


@pytest.mark.parametrize("last", [None, "gone"])
def test_a_gateway_that_is_gone_leads_nowhere(last: str | None) -> None:
    """After a renewal there are others."""
    assert [one.public_key for one in ordered(gateways(2), last, frozenset(), 0)] == ["key0", "key1"]
