"""What the kernel says is in our table, in the words of `rules`, and how it differs from what was asked for. Pure.

As the kill switch's `readback`, which does the most of it; here are the words that it doesn't know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slopn_helper.gateway.net.policy import Refusal
from slopn_helper.gateway.net.script import counters_of
from slopn_helper.host.firewall import readback
from slopn_helper.host.firewall.readback import Objects
from slopn_helper.host.firewall.ruleset import Chain
from slopn_helper.host.firewall.words import Rule


class Count(NamedTuple):
    """What was refused for one reason, since the table was made."""

    packets: int
    bytes: int


def difference(wanted: Sequence[Chain], found: Objects) -> str | None:
    """None when `found` is exactly `wanted`; else what is the first difference, for a log."""
    heads = {name: chain.head for name, chain in readback.chains_of(found).items()}
    if strange := sorted(heads.keys() - {chain.name for chain in wanted}):
        return f"a chain that isn't ours: {', '.join(strange)}"
    rules = _rules(found)
    for chain in wanted:
        if chain.name not in heads:
            return f"the chain {chain.name} is gone"
        if heads[chain.name] != chain.head:
            return f"the chain {chain.name} is «{heads[chain.name]}» instead of «{chain.head}»"
        if (differs := _rules_difference(chain, rules.get(chain.name, []))) is not None:
            return differs
    missing = set(counters_of(wanted)) - set(counts(found))
    if missing:
        return f"a counter is gone: {', '.join(sorted(missing))}"
    if others := sorted({kind for item in found for kind in item} - {"table", "chain", "rule", "counter"}):
        return f"something that isn't ours: {', '.join(others)}"
    return None


def stale(wanted: Sequence[Chain], found: Objects) -> tuple[str, ...]:
    """What has to go before `wanted` can be there, as `chain NAME` and so on: chains first, since they use the rest.

    Counters stay: equal names are equal things.
    """
    heads = {name: chain.head for name, chain in readback.chains_of(found).items()}
    stay = {f"chain {chain.name}" for chain in wanted if heads.get(chain.name) == chain.head}
    stay |= {f"counter {why}" for why in Refusal}
    return tuple(each for each in readback.contents(found) if each not in stay)


def counts(found: Objects) -> dict[Refusal, Count]:
    """What the table has counted."""
    known = set(Refusal)
    listed = (item["counter"] for item in found if "counter" in item)
    return {Refusal(c["name"]): Count(c["packets"], c["bytes"]) for c in listed if c["name"] in known}


def _rules(found: Objects) -> dict[str, list[Rule]]:
    rules: dict[str, list[Rule]] = {}
    for item in found:
        if "rule" in item:
            rules.setdefault(item["rule"]["chain"], []).append(tuple(map(_statement, item["rule"].get("expr", ()))))
    return rules


def _rules_difference(wanted: Chain, found: Sequence[Rule]) -> str | None:
    for place, (ours, theirs) in enumerate(zip(wanted.rules, found, strict=False), 1):
        if _canonical(ours) != _canonical(theirs):
            return f"rule {place} of {wanted.name} is «{' '.join(theirs)}» instead of «{' '.join(ours)}»"
    if len(wanted.rules) != len(found):
        return f"the chain {wanted.name} has {len(found)} rules instead of {len(wanted.rules)}"
    return None


def _canonical(rule: Rule) -> Rule:
    """Matches in any order mean the same; what is counted and what is done about it comes after them."""
    tail = 2 if len(rule) > 1 and rule[-2].startswith("counter ") else 1
    if any(statement.startswith("counter ") for statement in rule[:-tail]):
        return rule
    try:
        return (*readback.canonical((*rule[:-tail], ""))[:-1], *rule[-tail:])
    except ValueError:
        # An address that is none: a set's name, for instance. No rule of ours has that.
        return rule


def _statement(expression: Mapping[str, Any]) -> str:
    match expression:
        case {"counter": str() as name}:
            return f"counter name {name}"
        case {"masquerade": None}:
            return "masquerade"
        case {"mangle": {"key": {"tcp option": {"name": option, "field": field}}, "value": {"rt": {"key": value}}}}:
            return f"tcp option {option} {field} set rt {value}"
    alone = {"rule": {"chain": "", "expr": [expression]}}
    listed = readback.chains_of([{"chain": {"name": ""}}, alone])
    return listed[""].rules[0][0]
