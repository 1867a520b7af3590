from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.host.firewall import Blocked, FirewallPolicy, Tunnelled, readback
from slopn_helper.host.firewall.readback import canonical, chains_of, contents, difference, kind_in_force
from slopn_helper.host.firewall.ruleset import Chain, chains
from slopn_wire.events import PolicyKind
from slopn_wire.profile import Endpoint

DATA = Path(__file__).parents[4] / "data/firewall"
ADDRESSES = (ip_address("10.9.0.2"), ip_address("fd09::2"))
ENDPOINTS = (Endpoint("203.0.113.10", 51820), Endpoint("2001:db8:9::10", 443))
TUNNELLED = Tunnelled(
    allow_lan=True,
    endpoints=ENDPOINTS[:1],
    interface="slopn0",
    addresses=ADDRESSES[:1],
    dns=(ip_address("10.9.0.1"),),
)
POLICIES: dict[str, FirewallPolicy] = {
    "connecting": Blocked(endpoints=ENDPOINTS, addresses=ADDRESSES),
    "tunnelled_lan": TUNNELLED,
}


def listing(name: str) -> list[dict[str, Any]]:
    """What `nft -j list table` says once the golden file is in force: the same from nftables 1.0.6 and 1.1.3."""
    found: list[dict[str, Any]] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return found


def wanted(name: str) -> tuple[Chain, ...]:
    """The rules that the listing is of."""
    return chains(POLICIES[name], fwmark=51820)


def rules_in(found: list[dict[str, Any]], chain: str) -> list[dict[str, Any]]:
    """The rule objects of one chain."""
    return [item for item in found if item.get("rule", {}).get("chain") == chain]


@pytest.mark.parametrize("name", POLICIES)
def test_a_listing_says_the_same_as_the_rules_that_made_it(name: str) -> None:
    """Every chain and rule is recognised, though the library sorts sets and swaps ports."""
    assert difference(wanted(name), listing(name)) is None


@pytest.mark.parametrize(("number", "name"), [(1, "icmp"), (6, "tcp"), (17, "udp"), (58, "icmpv6"), (132, "132")])
def test_protocols_without_etc_protocols(number: int, name: str) -> None:
    """There a listing has their numbers: a small container connects, too. A port of that number stays a number."""
    assert readback._value(number, "meta l4proto") == readback._value(name, "meta l4proto") == name
    assert readback._value(number, "udp dport") == str(number)


def test_a_listing_of_another_policy_is_a_difference() -> None:
    """The comparison is no formality."""
    assert difference(wanted("connecting"), listing("tunnelled_lan")) is not None


@pytest.mark.parametrize("name", POLICIES)
def test_each_rule_that_is_missing_is_missed(name: str) -> None:
    """Without any single rule the listing is another."""
    found = listing(name)
    for rule in [item for item in found if "rule" in item]:
        assert difference(wanted(name), [item for item in found if item is not rule]) is not None


@pytest.mark.parametrize("name", POLICIES)
def test_each_rule_in_the_wrong_place_is_seen(name: str) -> None:
    """The order is part of the policy."""
    found = listing(name)
    for at in range(len(found) - 1):
        first, second = found[at : at + 2]
        if "rule" in first and "rule" in second and first["rule"]["chain"] == second["rule"]["chain"]:
            assert difference(wanted(name), [*found[:at], second, first, *found[at + 2 :]]) is not None


def test_a_foreign_rule_is_seen_wherever_it_stands() -> None:
    """An `accept` slipped in at the front is named, one at the end counted."""
    found = listing("connecting")
    accept = {"rule": {"family": "inet", "table": "slopn", "chain": "output", "expr": [{"accept": None}]}}
    assert "rule 1 of output is «accept»" in str(difference(wanted("connecting"), [accept, *found]))
    assert "rules instead of" in str(difference(wanted("connecting"), [*found, accept]))


def test_a_changed_value_is_seen() -> None:
    """Another mark, address, or verdict in an otherwise equal rule."""
    text = json.dumps(listing("connecting"))
    for old, new in (("51820", "51821"), ("203.0.113.10", "203.0.113.11"), ('"drop"', '"accept"'), ("255", "64")):
        assert old in text
        assert difference(wanted("connecting"), json.loads(text.replace(old, new))) is not None


def test_a_missing_chain_a_foreign_chain_and_a_foreign_object_are_named() -> None:
    """What surrounds the rules is ours or named."""
    found = listing("connecting")
    without = [item for item in found if item.get("chain", {}).get("name") != "forward"]
    assert difference(wanted("connecting"), without) == "the chain forward is gone"
    strange = {"chain": {"family": "inet", "table": "slopn", "name": "mine", "handle": 99}}
    assert difference(wanted("connecting"), [*found, strange]) == "a chain that isn't ours: mine"
    map_ = {"map": {"family": "inet", "table": "slopn", "name": "m"}}
    assert difference(wanted("connecting"), [*found, map_]) == "something that isn't ours: map"


def test_another_hook_priority_or_policy_is_seen() -> None:
    """A chain of the right name in the wrong place filters nothing."""
    for change in ({"prio": 10}, {"hook": "postrouting"}, {"policy": "accept"}, {"type": "nat"}):
        found = listing("connecting")
        next(item for item in found if item.get("chain", {}).get("name") == "output")["chain"] |= change
        assert "the chain output is" in str(difference(wanted("connecting"), found))


def test_an_unknown_expression_is_a_difference_and_no_crash() -> None:
    """What a later library may say is shown as it is."""
    found = listing("connecting")
    rules_in(found, "output")[0]["rule"]["expr"] = [{"xt": {"type": "match", "name": "owner"}}, {"accept": None}]
    assert "owner" in str(difference(wanted("connecting"), found))


def test_the_kind_is_told_by_what_is_let_out() -> None:
    """Tunnelled lets an interface out, blocked none but loopback; a table that doesn't close the host is unknown."""
    assert kind_in_force(listing("connecting")) is PolicyKind.BLOCKED
    assert kind_in_force(listing("tunnelled_lan")) is PolicyKind.TUNNELLED
    assert kind_in_force([{"table": {"family": "inet", "name": "slopn"}}]) is PolicyKind.UNKNOWN
    opened = json.loads(json.dumps(listing("connecting")).replace('"drop"', '"accept"'))
    assert kind_in_force(opened) is PolicyKind.UNKNOWN


def test_an_empty_table_is_no_policy() -> None:
    """A table that was claimed and not filled has none of our chains."""
    assert difference(wanted("connecting"), [{"table": {}}]) == "the chain prerouting is gone"


def test_chains_of_keeps_the_order_of_rules() -> None:
    """The rules stand as the kernel meets them."""
    output = chains_of(listing("tunnelled_lan"))["output"]
    assert output.head == "type filter hook output priority 0; policy drop;"
    assert output.rules[0] == ('oifname "lo"', "accept")
    assert output.rules[-1] == ("reject with icmpx admin-prohibited",)


def test_canonical_sorts_matches_and_members_but_not_the_verdict() -> None:
    """The same rule in another spelling, and never another rule."""
    left = ("udp sport 68", "ip daddr { 1.1.1.1, 0.0.0.0 }", "accept")
    assert canonical(left) == canonical(("ip daddr { 0.0.0.0, 1.1.1.1 }", "udp sport 68", "accept"))
    assert canonical(left) != canonical((*left[:2], "drop"))


def test_contents_names_all_but_rules_and_chains_first() -> None:
    """A chain may refer to a set, never the other way round: so they can be removed in this order."""
    found: list[dict[str, dict[str, str]]] = [
        {"table": {}},
        {"set": {"name": "s"}},
        {"chain": {"name": "c"}},
        {"rule": {"chain": "c"}},
    ]
    assert contents(found) == ("chain c", "set s")


def test_a_strangers_rule_by_a_named_set_is_another_rule() -> None:
    """What isn't an address is compared as it stands; nothing is raised."""
    assert canonical(("ip saddr @theirs", "accept")) != canonical(("ip saddr 10.0.0.1", "accept"))
    assert canonical(("ip saddr { 10.0.0.1, @theirs }", "drop"))[-1] == "drop"
