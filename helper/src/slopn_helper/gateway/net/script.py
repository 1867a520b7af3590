"""Chains → one nft(8) script, and the counters that they use. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from slopn_helper.gateway.net.policy import GatewayNetPolicy, Refusal
from slopn_helper.gateway.net.rules import chains
from slopn_helper.host.firewall.ruleset import Chain

FAMILY = "inet"
TABLE = "slopn_gateway"


def render(policy: GatewayNetPolicy) -> str:
    """What puts `policy` in force where nothing is yet. Raises `ValueError` as `rules.chains`."""
    return filling(chains(policy))


def filling(made: Iterable[Chain], *, stale: Iterable[str] = (), counting: Iterable[str] = ()) -> str:
    """What makes these chains all that the table holds, in one transaction.

    The table and the chains that stay are kept, so that no packet meets a chain that is half there; counters too, so that
    they only ever grow. `stale` is what to remove first, as `chain NAME` or `set NAME`; `counting` are the counters that
    are there.
    """
    wanted = tuple(made)
    there = set(counting)
    lines = [f"add table {FAMILY} {TABLE}", f"flush table {FAMILY} {TABLE}"]
    lines += [f"delete {kind} {FAMILY} {TABLE} {name}" for kind, name in map(str.split, stale)]
    lines += [f"add counter {FAMILY} {TABLE} {name}" for name in counters_of(wanted) if name not in there]
    lines.append(f"table {FAMILY} {TABLE} {{")
    for chain in wanted:
        lines.append(f"  chain {chain.name} {{")
        lines += [f"    {line}" for line in ([chain.head] if chain.head else [])]
        lines += [f"    {' '.join(rule)}" for rule in chain.rules]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def counters_of(made: Iterable[Chain]) -> tuple[Refusal, ...]:
    """The counters that these chains name: all of them, whatever the policy, or none where it is closed."""
    counting = any("counter name" in statement for chain in made for rule in chain.rules for statement in rule)
    return tuple(Refusal) if counting else ()
