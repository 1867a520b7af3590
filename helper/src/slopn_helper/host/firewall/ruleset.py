"""A firewall policy as nftables rules. Pure: text only, tested anywhere by golden files.

`docs/firewall.md` gives the reason for each rule. Packets of the helper's own are told by their mark; names of
interfaces are matched, not indexes, since an interface may go and come again under the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from slopn_helper.host.firewall.policy import FirewallPolicy, Open
from slopn_helper.host.firewall.rules import Rules
from slopn_helper.host.firewall.words import Rule

__all__ = ["Chain", "Rule", "chains", "device_chains", "filling", "making", "removal", "render", "replacing"]

FAMILY = "inet"
DEVICE_FAMILY = "netdev"
TABLE = "slopn"
"""The name of both our tables: one for packets, one for the frames that pass the former by."""


REDIRECTING = "resolvers"
"""The chain that sends guests' queries to the tunnel's resolver."""


class Chain(NamedTuple):
    """A chain at a hook, or with `hook` None one that others go to."""

    name: str
    priority: int
    policy: str
    rules: tuple[Rule, ...]
    hook: str | None
    device: str = ""
    """The one whose frames it meets; empty where the family has no such thing."""
    kind: str = "filter"

    @property
    def head(self) -> str:
        """What makes it a base chain, but for its device, which nftables 1.0 doesn't list."""
        if self.hook is None:
            return ""
        return f"type {self.kind} hook {self.hook} priority {self.priority}; policy {self.policy};"

    @property
    def made(self) -> str:
        """What it is made with."""
        return self.head.replace(" priority", f' device "{self.device}" priority') if self.device else self.head


def render(policy: FirewallPolicy, *, fwmark: int) -> str:
    """One nft(8) script that puts `policy` in force for packets, whatever was there before. Raises as `chains`."""
    made = chains(policy, fwmark=fwmark)
    return replacing(FAMILY, made) if made else removal(FAMILY)


def chains(policy: FirewallPolicy, *, fwmark: int, redirect: bool = True) -> tuple[Chain, ...]:
    """The rules of `policy`; none for `Open`. Without `redirect`, guests' queries stay where they go, and are refused.

    Raises `ValueError` for an endpoint that is no address, a port, mark or interface name that can't be.
    """
    if isinstance(policy, Open):
        return ()
    rules = Rules(policy, fwmark)
    redirected = rules.resolvers() if redirect else ()
    return (
        Chain("prerouting", -199, "accept", rules.prerouting(), "prerouting"),
        Chain("output", 0, "drop", rules.output(), "output"),
        Chain("input", 0, "drop", rules.input(), "input"),
        Chain("forward", 0, "drop", rules.forward(), "forward"),
        *((Chain(REDIRECTING, -100, "accept", redirected, "prerouting", kind="nat"),) if redirected else ()),
    )


def device_chains(policy: FirewallPolicy, devices: Iterable[str], *, fwmark: int) -> tuple[Chain, ...]:
    """What frames of packet sockets meet, which no chain of `chains` sees: one chain a device. Raises as `chains`.

    Names of devices that don't go between quotes are refused too: nobody can filter their frames.
    """
    if isinstance(policy, Open):
        return ()
    allowed = Chain("allowed", 0, "", Rules(policy, fwmark).egress(), None)
    return (
        allowed,
        *(Chain(_chain_of(d), 0, "drop", (("goto allowed",),), "egress", d) for d in devices),
    )


def replacing(family: str, made: Iterable[Chain]) -> str:
    """One nft(8) script that puts exactly these chains into our table, whatever was there before."""
    bodies = "\n".join(_block(chain) for chain in made)
    return f"{removal(family)}table {family} {TABLE} {{\n{bodies}}}\n"


def filling(family: str, made: Iterable[Chain], present: Iterable[str] = ()) -> str:
    """As `replacing`, for a table that is there and stays: its owner may not replace it, and in a swap of whole tables a
    packet may pass between the two.

    `present` is what to remove first, as `chain NAME` or `set NAME`. Chains that stay keep their hook, so that no packet
    meets one that is half there.
    """
    lines = [f"flush table {family} {TABLE}"]
    lines += [f"delete {kind} {family} {TABLE} {name}" for kind, name in map(str.split, present)]
    for chain in made:
        lines.append(f"add chain {family} {TABLE} {chain.name} {{ {chain.made} }}")
        lines += [f"add rule {family} {TABLE} {chain.name} {' '.join(rule)}" for rule in chain.rules]
    return "\n".join(lines) + "\n"


def making(family: str) -> str:
    """Makes our table if it isn't there."""
    return f"add table {family} {TABLE}\n"


def removal(family: str) -> str:
    """Removes our table whether it is there or not; only for one that nobody owns."""
    return f"table {family} {TABLE}\ndelete table {family} {TABLE}\n"


def _block(chain: Chain) -> str:
    lines = ([chain.made] if chain.made else []) + [" ".join(rule) for rule in chain.rules]
    return f"  chain {chain.name} {{\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"


def _chain_of(device: str) -> str:
    """A name that nft(8) takes, whatever the device is called, and no two devices share."""
    if not re.fullmatch(r'[^\s"/:*\\]{1,15}', device):
        raise ValueError(f"{device!r} can't be the name of a device")
    if re.fullmatch(r"[a-z0-9]+", device):
        return f"on_{device}"
    return f"of_{device.encode().hex()}"
