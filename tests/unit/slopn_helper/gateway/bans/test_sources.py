from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.bans.sources import parse, shown, source_of


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("2001:db8:1:2:ffff::7", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_ipv4_counts_by_address_and_ipv6_by_its_64(address: str, source: str) -> None:
    """Also an IPv4 address in IPv6's clothes, and one with a zone."""
    assert source_of(ip_address(address)) == ip_network(source)


@given(st.ip_addresses())
def test_what_is_shown_can_be_read_back(address: object) -> None:
    """`bans lift` takes what `bans list` shows."""
    source = source_of(address)  # type: ignore[arg-type]  # hypothesis says object
    assert parse(shown(source)) == source
    assert address in source or isinstance(address, IPv6Address)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("evil.example.com", "no IP address"),
        ("203.0.113.0/24", "your own firewall"),
        ("2001:db8::/32", "your own firewall"),
        ("2001:db8::7/64", "no address of a network"),
        ("203.0.113.7; flush ruleset", "no IP address"),
        ("", "no IP address"),
    ],
)
def test_other_words_are_refused_with_a_sentence(text: str, says: str) -> None:
    """Names, other networks, and whatever nft could take for a command."""
    with pytest.raises(ValueError, match=says):
        parse(text)
