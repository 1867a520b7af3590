"""Which addresses of a gateway are tried, in which order, and which are remembered."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.addresses import LARGEST, MOST, NAMES, LastGood, candidates
from slopn_wire.profile import IPAddress

V4 = tuple(ip_address(f"192.0.2.{number}") for number in range(1, 7))
V6 = tuple(ip_address(f"2001:db8::{number}") for number in range(1, 7))
BOTH = frozenset({4, 6})


def test_families_take_turns() -> None:
    """So that a broken one costs one head start, not several."""
    assert candidates((*V4, *V6), (), BOTH, 0) == (V4[0], V6[0], V4[1], V6[1])


def test_what_answered_before_leads_if_it_is_still_the_gateways() -> None:
    """An address that the name has no more isn't tried while others are known."""
    assert candidates((V4[0], V4[1], V6[0]), (V6[0], V4[5]), BOTH, 0) == (V6[0], V4[0], V4[1])


def test_each_failure_begins_with_another() -> None:
    """And comes round."""
    firsts = [candidates(V4[:3], (), BOTH, turn)[0] for turn in range(4)]
    assert firsts == [V4[0], V4[1], V4[2], V4[0]]


def test_a_family_without_a_way_out_comes_last_and_once() -> None:
    """The host may move to where it works."""
    assert candidates((*V6, *V4), (), frozenset({4}), 0) == (*V4[:3], V6[0])
    assert candidates((*V4[:2], *V6), (), frozenset(), 0) == (V4[0], V6[0], V4[1], V6[1])


@given(
    found=st.lists(st.sampled_from(V4 + V6), min_size=1, unique=True),
    good=st.lists(st.sampled_from(V4 + V6), unique=True),
    reachable=st.sets(st.sampled_from((4, 6))),
    turn=st.integers(0, 50),
)
def test_any(found: list[IPAddress], good: list[IPAddress], reachable: set[int], turn: int) -> None:
    """Some of what was found, none twice, never more than the firewall has rules for; a reachable one leads."""
    chosen = candidates(found, good, frozenset(reachable), turn)
    assert 1 <= len(chosen) <= MOST
    assert set(chosen) <= set(found)
    assert len(set(chosen)) == len(chosen)
    if any(address.version in reachable for address in found):
        assert chosen[0].version in reachable
    assert len(chosen) == min(len(found), MOST) or len(reachable) == 1


def test_what_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    """One of each family, the latest first; names as DNS has them, without case."""
    path = tmp_path / "addresses.json"
    book = LastGood(path)
    assert book.of("vpn.example.org") == ()
    for address in (V4[0], V6[0], V4[1]):
        book.answered("VPN.example.org", address)
    assert LastGood(path).of("vpn.Example.org") == (V4[1], V6[0])
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_other_family_is_kept_before_it_has_answered(tmp_path: Path) -> None:
    """As the resolver says it now; what answered before is kept as long as the resolver doesn't say otherwise."""
    book = LastGood(tmp_path / "addresses.json")
    book.answered("a", V4[0], (*V4, *V6))
    assert book.of("a") == (V4[0], V6[0])
    book.answered("a", V6[1], (*V4, *V6))
    assert book.of("a") == (V6[1], V4[0])
    book.answered("a", V4[1], (*V4, V6[0], V6[1]))
    assert book.of("a") == (V4[1], V6[1])
    book.answered("a", V4[1], (*V4, V6[0]))
    assert book.of("a") == (V4[1], V6[0])
    book.answered("a", V4[0])
    assert book.of("a") == (V4[0], V6[0])


def test_the_oldest_names_are_forgotten(tmp_path: Path) -> None:
    """Names come from files that anybody may have written."""
    book = LastGood(tmp_path / "addresses.json")
    for number in range(NAMES + 1):
        book.answered(f"host{number}.example.org", V4[0])
    assert book.of("host0.example.org") == ()
    assert book.of("host1.example.org") == (V4[0],)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"a": 7}',
        '{"a": ["nobody"]}',
        "\\xff",
        "[" * 60_000,
        '{"a": ["192.0.2.1"' + " " * LARGEST + "]}",
    ],
)
def test_a_damaged_file_is_none(tmp_path: Path, text: str) -> None:
    """Only a head start is lost."""
    path = tmp_path / "addresses.json"
    path.write_text(text, encoding="latin-1")
    book = LastGood(path)
    assert book.of("a") == ()
    book.answered("a", V4[0])
    assert LastGood(path).of("a") == (V4[0],)


def test_a_disk_that_takes_nothing_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And the address is known all the same until the helper ends."""
    book = LastGood(tmp_path / "missing" / "addresses.json")
    book.answered("a", V4[0])
    book.answered("a", V4[1])
    assert book.of("a") == (V4[1],)
    assert len(caplog.records) == 1
