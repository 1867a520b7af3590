"""What the kernel says is in force, in the words of `ruleset`, and how it differs from what was asked for. Pure.

The listing is libnftables' JSON (libnftables-json(5)), the same in all its versions from 1.0 on where our few
statements are concerned. Matches that stand in another order, sets that list their members in another order and
consecutive ports that the library has swapped mean the same, so both sides are sorted before they are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def canonical(rule: Rule) -> Rule:
    """The same rule with its matches and the members of its sets in order."""
    *matches, verdict = (_sorted_set(statement) for statement in rule)
    return (*sorted(matches), verdict)


def _sorted_set(statement: str) -> str:
    if not statement.endswith("}"):
        return statement
    left, _, members = statement[:-1].partition("{")
    return f"{left}{{ {', '.join(sorted(m.strip() for m in members.split(',')))} }}"


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
        case {"ct": {"key": name}}:
            return f"ct {name}"
    return str(dict(left))


def _value(right: object, key: str) -> str:
    match right:
        case {"set": members} if isinstance(members, list):
            return f"{{ {', '.join(_value(member, key) for member in members)} }}"
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case int() if key == "meta mark":
            return f"{right:#x}"
        case str() if key in {"iifname", "oifname"}:
            return f'"{right}"'
    return str(right)
