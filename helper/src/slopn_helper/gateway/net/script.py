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


def filling(
    made: Iterable[Chain], *, stale: Iterable[str] = (), counting: Iterable[str] = (), owned: bool = False
) -> str:
    """What makes these chains all that the table holds, in one transaction.

    The table and the chains that stay are kept, so that no packet meets a chain that is half there; counters too, so that
    they only ever grow. `stale` is what to remove first, as `chain NAME` or `set NAME`; `counting` are the counters that
    are there. An `owned` table is there already, and may not be named without its flags.
    """
    wanted = tuple(made)
    there = set(counting)
    lines = [] if owned else [f"add table {FAMILY} {TABLE}"]
    lines.append(f"flush table {FAMILY} {TABLE}")
    lines += [f"delete {kind} {FAMILY} {TABLE} {name}" for kind, name in map(str.split, stale)]
    lines += [f"add counter {FAMILY} {TABLE} {name}" for name in counters_of(wanted) if name not in there]
    lines += [
        f"add chain {FAMILY} {TABLE} {chain.name}" + (f" {{ {chain.head} }}" if chain.head else "") for chain in wanted
    ]
    for chain in wanted:
        lines += [f"add rule {FAMILY} {TABLE} {chain.name} {' '.join(rule)}" for rule in chain.rules]
    return "\n".join([*lines, ""])


def counters_of(made: Iterable[Chain]) -> tuple[Refusal, ...]:
    """The counters that these chains name: all of them, whatever the policy, or none where it is closed."""
    counting = any("counter name" in statement for chain in made for rule in chain.rules for statement in rule)
    return tuple(Refusal) if counting else ()
