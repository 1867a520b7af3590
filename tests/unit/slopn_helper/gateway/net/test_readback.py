from __future__ import annotations

import copy
import json
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.gateway.net.policy import GatewayNetPolicy, Refusal
from slopn_helper.gateway.net.readback import Count, counts, difference, stale
from slopn_helper.gateway.net.rules import chains, closed

DATA = Path(__file__).parents[4] / "data/gateway_net"
# What nft 1.0.6 lists once usual.nft is in force.
LISTED: list[dict[str, Any]] = json.loads((DATA / "usual.json").read_text(encoding="utf-8"))
WANTED = chains(
    GatewayNetPolicy(
        interfaces=("wg0",),
        pools=(ip_network("10.9.0.0/24"), ip_network("fd09::/64")),
        addresses=(ip_address("10.9.0.1"), ip_address("fd09::1")),
        uplinks=("eth0",),
        dns=(ip_address("10.9.0.1"), ip_address("fd09::1")),
    )
)
Objects = list[dict[str, Any]]


def rules_in(objects: Objects, chain: str) -> Objects:
    """The rules of one chain, to be changed in place."""
    return [item["rule"] for item in objects if item.get("rule", {}).get("chain") == chain]


def first(kind: str, name: str) -> Callable[[Objects], dict[str, Any]]:
    """Takes the object of that name out."""

    def take(objects: Objects) -> dict[str, Any]:
        place = next(n for n, item in enumerate(objects) if item.get(kind, {}).get("name") == name)
        return objects.pop(place)

    return take


def test_what_the_kernel_lists_is_what_was_sent() -> None:
    """Whatever it has counted meanwhile."""
    assert difference(WANTED, LISTED) is None


def no_masquerade(objects: Objects) -> None:
    """NAT is gone from one family."""
    rules_in(objects, "postrouting")[0]["expr"][-1] = {"accept": None}


def other_counter(objects: Objects) -> None:
    """A refusal is counted as another."""
    rules_in(objects, "prerouting")[0]["expr"][-2] = {"counter": "here"}


def counted_first(objects: Objects) -> None:
    """Everything is counted, and what matches is dropped."""
    expressions = rules_in(objects, "prerouting")[0]["expr"]
    expressions.insert(0, expressions.pop(-2))


def by_a_set(objects: Objects) -> None:
    """Somebody's own set in place of our pools."""
    rules_in(objects, "prerouting")[0]["expr"][1]["match"]["right"] = "@mine"


def clamp_by_number(objects: Objects) -> None:
    """A size that fits no path but one."""
    rules_in(objects, "clamp")[0]["expr"][-1]["mangle"]["value"] = 1200


def swapped(objects: Objects) -> None:
    """All is let through before anything is refused."""
    places = [n for n, item in enumerate(objects) if item.get("rule", {}).get("chain") == "from_devices"]
    objects.insert(places[0], objects.pop(places[-1]))


def one_less(objects: Objects) -> None:
    """The last rule of a chain."""
    objects.pop(max(n for n, item in enumerate(objects) if item.get("rule", {}).get("chain") == "here"))


def policy_changed(objects: Objects) -> None:
    """Of a chain at a hook."""
    next(item["chain"] for item in objects if item.get("chain", {}).get("name") == "forward")["policy"] = "drop"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_masquerade, "rule 1 of postrouting is «"),
        (other_counter, "counter name here"),
        (counted_first, "rule 1 of prerouting is «counter name spoofed"),
        (by_a_set, "ip saddr != @mine"),
        (clamp_by_number, "rule 1 of clamp"),
        (swapped, "rule 1 of from_devices is «accept»"),
        (one_less, "the chain here has"),
        (policy_changed, "policy drop"),
        (first("counter", "loop"), "a counter is gone: loop"),
        (lambda objects: objects.append({"chain": {"name": "x"}}), "a chain that isn't ours: x"),
        (lambda objects: objects.append({"map": {"name": "x"}}), "something that isn't ours: map"),
    ],
)
def test_each_difference_is_seen(change: Callable[[Objects], Any], words: str) -> None:
    """And named."""
    found = copy.deepcopy(LISTED)
    change(found)
    assert words in (difference(WANTED, found) or "")


def test_a_missing_chain_is_named() -> None:
    """As the rules that were in it are."""
    found = [item for item in LISTED if item.get("chain", {}).get("name") != "to_devices"]
    assert difference(WANTED, found) == "the chain to_devices is gone"


def test_counts_are_by_reason() -> None:
    """Those of ours, and of them all."""
    found = counts([*LISTED, {"counter": {"name": "foreign", "packets": 9, "bytes": 9}}])
    assert set(found) == set(Refusal)
    assert found[Refusal.SPOOFED] == Count(packets=1, bytes=100)


def test_what_stays_is_not_stale() -> None:
    """Chains of the same head and counters stay; other chains, and what somebody has put in, go first."""
    assert stale(WANTED, LISTED) == ()
    extra = [{"set": {"name": "s"}}, {"counter": {"name": "foreign"}}]
    gone = stale(closed(("wg0",)), [*LISTED, *extra])
    assert set(gone) == {
        *(f"chain {name}" for name in ("clamp", "from_devices", "to_devices", "input", "here", "postrouting")),
        "set s",
        "counter foreign",
    }
    assert all(kind.startswith("chain") for kind in gone[:6])
