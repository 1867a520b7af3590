"""What a network's state says of the ways out."""

from __future__ import annotations

from ipaddress import ip_address

from slopn_helper.host.netmon import NetworkState

V4, V6 = ip_address("192.0.2.1"), ip_address("fe80::1")


def test_the_ways_out_of_each_kind_of_network() -> None:
    """One of each IP version at most; offline there is none."""
    assert (NetworkState(None).ways_out, NetworkState(None).reachable) == ((), frozenset())
    assert (NetworkState("eth0", V4).ways_out, NetworkState("eth0", V4).reachable) == ((V4,), frozenset({4}))
    assert NetworkState("eth0", gateway6=V6).reachable == {6}
    both = NetworkState("eth0", V4, V6)
    assert (both.ways_out, both.reachable) == ((V4, V6), frozenset({4, 6}))
