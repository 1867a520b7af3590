from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_helper.gateway.net.policy import GatewayNetPolicy, Refusal
from slopn_helper.gateway.net.rules import chains, closed
from slopn_helper.host.firewall.words import Rule

POLICY = GatewayNetPolicy(
    interfaces=("wg0",),
    pools=(ip_network("10.9.0.0/24"), ip_network("fd09::/64")),
    addresses=(ip_address("10.9.0.1"), ip_address("fd09::1")),
    uplinks=("eth0",),
)
SWITCHES = ("nat44", "nat66", "reachable", "isolated", "private", "dns_only", "api_inside")
FEW = settings(max_examples=60, deadline=None)
POLICIES = st.fixed_dictionaries({name: st.booleans() for name in SWITCHES}).map(lambda on: replace(POLICY, **on))


def rules_of(policy: GatewayNetPolicy, chain: str) -> tuple[Rule, ...]:
    """The rules of one chain."""
    return next(made.rules for made in chains(policy) if made.name == chain)


@FEW
@given(POLICIES)
def test_chains_at_hooks_touch_no_packet_that_isnt_a_devices(policy: GatewayNetPolicy) -> None:
    """A server has other business: each such rule names the tunnel, or an address that is of the tunnel alone."""
    for chain in chains(policy):
        if chain.hook is None:
            continue
        assert chain.policy == "accept"
        for rule in chain.rules:
            inside = any('"wg0"' in word and "!=" not in word for word in rule)
            assert inside or any(pool in word for word in rule for pool in ("10.9.0.", "fd09::")), rule


@FEW
@given(POLICIES)
def test_what_is_not_allowed_is_refused_and_counted(policy: GatewayNetPolicy) -> None:
    """Each refusal has its counter, and the ways to devices and to the gateway end in one."""
    for chain in chains(policy):
        for rule in chain.rules:
            assert any(word.startswith("counter name ") for word in rule) is rule[-1].startswith(("drop", "reject"))
    assert rules_of(policy, "to_devices")[-1] == ("counter name unasked", "drop")
    assert rules_of(policy, "here")[-1] == ("counter name here", "reject with icmpx admin-prohibited")


@FEW
@given(POLICIES)
def test_a_devices_packet_is_judged_without_its_connection(policy: GatewayNetPolicy) -> None:
    """So that a policy that closes ends what is open."""
    assert not any(word.startswith("ct ") for rule in rules_of(policy, "from_devices") for word in rule)


@FEW
@given(POLICIES)
def test_only_a_routed_family_is_reachable(policy: GatewayNetPolicy) -> None:
    """And only from an uplink, and only by the switch."""
    begins = [rule for rule in rules_of(policy, "to_devices") if rule[-1] == "accept" and "ct " not in rule[0]]
    routed = [f for f, nat in (("ip", policy.nat44), ("ip6", policy.nat66)) if not nat]
    assert [rule[1].split()[0] for rule in begins] == (routed if policy.reachable else [])
    assert all(rule[0] == 'iifname "eth0"' for rule in begins)


def test_a_family_without_a_pool_is_dropped() -> None:
    """Whatever a device sends of it."""
    rules = rules_of(replace(POLICY, pools=POLICY.pools[:1]), "prerouting")
    assert ('iifname "wg0"', "meta nfproto ipv6", "counter name spoofed", "drop") in rules


def test_destinations_of_one_family_refuse_the_other() -> None:
    """All that is named is all that is reached."""
    rules = rules_of(replace(POLICY, destinations=(ip_network("198.51.100.0/24"),)), "from_devices")
    assert rules[-3:-1] == (
        ("ip daddr != 198.51.100.0/24", "counter name refused", "reject with icmpx admin-prohibited"),
        ("meta nfproto ipv6", "counter name refused", "reject with icmpx admin-prohibited"),
    )


def test_without_translation_there_is_no_chain_for_it() -> None:
    """So that a kernel without NAT will do."""
    names = [chain.name for chain in chains(replace(POLICY, nat44=False, nat66=False))]
    assert "postrouting" not in names


def test_every_reason_is_counted_somewhere() -> None:
    """With all switches on the side of refusing, no counter stays at nought for want of a rule."""
    policy = replace(POLICY, dns_only=True, refused=(ip_network("192.0.2.0/24"),))
    words = {word for chain in chains(policy) for rule in chain.rules for word in rule}
    assert {f"counter name {why}" for why in Refusal} <= words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"interfaces": ()}, "at least one interface of WireGuard's"),
        ({"interfaces": ("wg*",)}, "can't be the name of a tunnel"),
        ({"uplinks": ()}, "at least one interface to leave by"),
        ({"uplinks": ('e"0',)}, "can't be the name of an uplink"),
        ({"uplinks": ("lo",)}, "can't be the name of an uplink"),
        ({"uplinks": ("eth0", "wg0")}, "both WireGuard's interface and an uplink"),
        ({"pools": ()}, "at least one pool"),
        ({"wireguard_port": 0}, "a port is 1 to 65535"),
        ({"https_port": 65536}, "a port is 1 to 65535"),
    ],
)
def test_impossible_policies_are_refused(change: dict[str, Any], words: str) -> None:
    """Each by a sentence that says what is wrong."""
    with pytest.raises(ValueError, match=words):
        chains(replace(POLICY, **change))


def test_closed_is_closed_in_both_directions() -> None:
    """Without counters, NAT or connections: words that every kernel knows."""
    assert [(chain.hook, chain.rules) for chain in closed(("wg0", "wg1"))] == [
        ("prerouting", (('iifname { "wg0", "wg1" }', "drop"),)),
        ("forward", (('oifname { "wg0", "wg1" }', "drop"),)),
    ]
