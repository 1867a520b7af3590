"""Which networks go through the tunnel, and which settings contradict themselves."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.split import covers, kept, problem, through
from slopn_wire.profile import IPAddress, IPNetwork

_V4 = st.builds(
    lambda bits, length: ip_network((bits >> (32 - length) << (32 - length), length)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
_V6 = st.builds(
    lambda bits, length: ip_network((bits >> (128 - length) << (128 - length), length)),
    st.integers(2**32, 2**128 - 1),
    st.integers(1, 128),
)
NETWORKS = st.lists(_V4 | _V6, max_size=4)
ADDRESSES = st.integers(0, 2**32 - 1).map(ip_address) | st.integers(2**32, 2**128 - 1).map(ip_address)


def nets(*texts: str) -> list[IPNetwork]:
    """Networks."""
    return [ip_network(text) for text in texts]


@given(NETWORKS, NETWORKS, ADDRESSES)
def test_what_is_wanted_of_what_is_possible(
    allowed: list[IPNetwork], include: list[IPNetwork], address: IPAddress
) -> None:
    """An address goes through the tunnel if a peer takes it, and it is included if anything is."""
    expected = covers(allowed, address) and (not include or covers(include, address))
    assert covers(through(allowed, include), address) == expected


def test_nothing_is_named_twice() -> None:
    """The kernel would refuse the second route."""
    assert through(nets("10.0.0.0/8", "10.0.0.0/8"), ()) == tuple(nets("10.0.0.0/8"))
    assert through(nets("0.0.0.0/0", "10.0.0.0/8"), nets("10.1.0.0/16")) == tuple(nets("10.1.0.0/16"))


@pytest.mark.parametrize(
    ("exclude", "include", "says"),
    [
        (["0.0.0.0/0"], [], "too much"),
        (["128.0.0.0/1"], [], "too much"),
        (["::/0"], [], "too much"),
        (["127.0.0.0/8"], [], "never leaves"),
        ([], ["::1/128"], "never leaves"),
        ([], ["0.0.0.0/0"], "everything"),
        (["10.0.0.0/8"], ["10.1.0.0/16"], "both included and"),
        (["10.0.0.0/8"], ["10.0.0.0/8"], "both included and"),
    ],
)
def test_settings_that_contradict_themselves(exclude: list[str], include: list[str], says: str) -> None:
    """Refused in a sentence that names the network."""
    found = problem(nets(*exclude), nets(*include))
    assert found is not None
    assert says in found
    assert any(text in found for text in [*exclude, *include])


@pytest.mark.parametrize(
    ("exclude", "include"),
    [([], []), (["10.1.2.0/24", "2001:db8::/32"], []), (["10.1.2.0/24"], ["10.1.0.0/16"]), ([], ["10.0.0.0/8"])],
)
def test_settings_that_make_sense(exclude: list[str], include: list[str]) -> None:
    """Also a hole in what is included."""
    assert problem(nets(*exclude), nets(*include)) is None


def test_resolvers_in_an_excluded_network() -> None:
    """They stay in the tunnel, if it takes them at all; others need nothing."""
    servers = [ip_address(text) for text in ("10.64.0.1", "10.64.0.1", "192.0.2.1", "fd00::1")]
    exclude = nets("10.0.0.0/8", "fd00::/8")
    assert kept(servers, nets("0.0.0.0/0"), exclude) == tuple(nets("10.64.0.1/32"))
    assert kept(servers, nets("0.0.0.0/0", "::/0"), exclude) == tuple(nets("10.64.0.1/32", "fd00::1/128"))
