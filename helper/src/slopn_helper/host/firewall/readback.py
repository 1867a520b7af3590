"""What the kernel says is in force, in the words of `ruleset`, and how it differs from what was asked for. Pure.

The listing is libnftables' JSON (libnftables-json(5)), the same in all its versions from 1.0 on where our few
statements are concerned. Matches that stand in another order, sets that list their members in another order,
consecutive ports that the library has swapped and networks that it has joined mean the same, so both sides are brought
into one form before they are compared.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from slopn_helper.host.firewall.ruleset import Chain, Rule
from slopn_wire.events import PolicyKind

Objects = Sequence[Mapping[str, Any]]
"""The objects of one table: `{"chain": {…}}`, `{"rule": {…}}` and so on."""


class Listed(NamedTuple):
    """A chain as the kernel has it."""

    head: str
    """As `Chain.head`; empty for a chain without a hook."""
    rules: tuple[Rule, ...]


def difference(wanted: Sequence[Chain], found: Objects) -> str | None:
    """None when `found` is exactly `wanted`; else what is the first difference, for a log."""
    actual = chains_of(found)
    if strange := sorted(actual.keys() - {chain.name for chain in wanted}):
        return f"a chain that isn't ours: {', '.join(strange)}"
    for chain in wanted:
        there = actual.get(chain.name)
        if there is None:
            return f"the chain {chain.name} is gone"
        if there.head != chain.head:
            return f"the chain {chain.name} is «{there.head}» instead of «{chain.head}»"
        if (rules := _rules_difference(chain, there.rules)) is not None:
            return rules
    if others := sorted({kind for item in found for kind in item} - {"table", "chain", "rule"}):
        return f"something that isn't ours: {', '.join(others)}"
    return None


def kind_in_force(found: Objects) -> PolicyKind:
    """Which policy the rules are, told by what they let out. `UNKNOWN` where they don't close the host."""
    output = chains_of(found).get("output")
    if output is None or not output.head.endswith("policy drop;"):
        return PolicyKind.UNKNOWN
    ways_out = {rule[0] for rule in output.rules if len(rule) == 2 and rule[1] == "accept"}
    through = {way for way in ways_out if way.startswith("oifname")} - {'oifname "lo"'}
    return PolicyKind.TUNNELLED if through else PolicyKind.BLOCKED


def chains_of(found: Objects) -> dict[str, Listed]:
    """The chains of a listing by name, with their rules in order."""
    rules: dict[str, list[Rule]] = {}
    for item in found:
        if "rule" in item:
            rules.setdefault(item["rule"]["chain"], []).append(_rule(item["rule"].get("expr", ())))
    heads = {item["chain"]["name"]: _head(item["chain"]) for item in found if "chain" in item}
    return {name: Listed(head, tuple(rules.get(name, ()))) for name, head in heads.items()}


def contents(found: Objects) -> tuple[str, ...]:
    """What is in the table besides rules, as `chain NAME`, `set NAME` and so on: chains first, since they use the rest."""
    named = [(kind, of["name"]) for item in found for kind, of in item.items() if kind not in {"table", "rule"}]
    return tuple(f"{kind} {name}" for kind, name in sorted(named, key=lambda one: one[0] != "chain"))


def _head(chain: Mapping[str, Any]) -> str:
    if "hook" not in chain:
        return ""
    return f"type {chain['type']} hook {chain['hook']} priority {chain['prio']}; policy {chain['policy']};"


def _rules_difference(wanted: Chain, found: tuple[Rule, ...]) -> str | None:
    for place, (ours, theirs) in enumerate(zip(wanted.rules, found, strict=False), 1):
        if canonical(ours) != canonical(theirs):
            return f"rule {place} of {wanted.name} is «{' '.join(theirs)}» instead of «{' '.join(ours)}»"
    if len(wanted.rules) != len(found):
        return f"the chain {wanted.name} has {len(found)} rules instead of {len(wanted.rules)}"
    return None


@lru_cache(maxsize=2048)
def canonical(rule: Rule) -> Rule:
    """The same rule with its matches and the members of its sets in order, and addresses as numbers.

    A word that isn't an address, in somebody else's rule, stays as it is.
    """
    *matches, verdict = (_canonical_match(statement) for statement in rule)
    return (*sorted(matches), verdict)


def _canonical_match(statement: str) -> str:
    left, is_set, inside = statement.removesuffix(" }").partition("{ ")
    if _ADDRESSES.search(left if is_set else statement):
        key, _, single = statement.rpartition(" ")
        with contextlib.suppress(ValueError):
            return _joined(left if is_set else f"{key} ", inside.split(", ") if is_set else [single])
    return f"{left}{{ {', '.join(sorted(inside.split(', ')))} }}" if is_set else statement


_ADDRESSES = re.compile(r"\bip6? [sd]addr ")


def _joined(left: str, members: Iterable[str]) -> str:
    """Networks that touch are listed as one range, whatever they were written as."""
    spans = sorted(map(_span, members))
    joined = spans[:1]
    for first, last in spans[1:]:
        if first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return left + ", ".join(f"{first:#x}-{last:#x}" for first, last in joined)


def _span(member: str) -> tuple[int, int]:
    if "/" in member:
        network = ip_network(member)
        return int(network[0]), int(network[-1])
    first, _, last = member.partition("-")
    return int(ip_address(first)), int(ip_address(last or first))


def _rule(expressions: Sequence[Mapping[str, Any]]) -> Rule:
    return tuple(_statement(expression) for expression in expressions) or ("",)


def _statement(expression: Mapping[str, Any]) -> str:
    match expression:
        case {"match": {"op": operator, "left": left, "right": right}}:
            negation = "!= " if operator == "!=" else ""
            key = _key(left)
            return f"{key} {negation}{_value(right, key)}"
        case {"mangle": {"key": key, "value": value}}:
            return f"{_key(key)} set {_value(value, _key(key))}"
        case {"accept": None}:
            return "accept"
        case {"drop": None}:
            return "drop"
        case {"dnat": {"family": family, "addr": address, **more}} if not more:
            return f"dnat {family} to {address}"
        case {"goto": {"target": target}}:
            return f"goto {target}"
        case {"reject": {"type": "tcp reset"}}:
            return "reject with tcp reset"
        case {"reject": {"type": kind, "expr": reason}}:
            return f"reject with {kind} {reason}"
    return str(dict(expression))


def _key(left: Mapping[str, Any]) -> str:
    match left:
        case {"meta": {"key": ("iifname" | "oifname") as name}}:
            return str(name)
        case {"meta": {"key": name}}:
            return f"meta {name}"
        case {"payload": {"protocol": protocol, "field": name}}:
            return f"{protocol} {name}"
        case {"payload": {"base": base, "offset": offset, "len": length}}:
            return f"@{base},{offset},{length}"
        case {"fib": {"result": result, "flags": ["daddr"] | "daddr"}}:
            return f"fib daddr {result}"
        case {"ct": {"key": name, "dir": direction}}:
            return f"ct {direction} {name}"
        case {"ct": {"key": name}}:
            return f"ct {name}"
    return str(dict(left))


_PROTOCOL_KEYS = frozenset({"meta l4proto", "ip protocol", "ip6 nexthdr"})
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
"""Where there is no /etc/protocols (a small container), nft lists them as numbers."""


def _value(right: object, key: str) -> str:
    match right:
        case {"set": members} if isinstance(members, list):
            return f"{{ {', '.join(_value(member, key) for member in members)} }}"
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"range": [first, last]}:
            return f"{first}-{last}"
        case int() if key in _PROTOCOL_KEYS:
            return _PROTOCOLS.get(right, str(right))
        case int() if key == "meta mark" or key.startswith("@"):
            return f"{right:#x}"
        case str() if key in {"iifname", "oifname"}:
            return f'"{right}"'
    return str(right)
