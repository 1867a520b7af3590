"""The built-in bans in the kernel: one nftables table with sets whose elements end by themselves.

The kernel's sets are the truth: a ban stays in force while the gateway is down, and the next one reads it from there.
What people want to know of a ban stands in its element's comment. Fail2Ban's action has sets and a chain of its own in
the same table; neither side touches the other's, and the allow list holds for both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network, summarize_address_range
from typing import Any, Protocol

from msgspec import Struct

from slopn_helper.gateway.bans import Ban, BansError, By, Why
from slopn_helper.gateway.bans.book import Change, Put
from slopn_helper.host.firewall import FirewallError
from slopn_wire.profile import IPNetwork

FAMILY, TABLE = "inet", "slopn_bans"
_SIZE = 65536
_LONGEST = 10 * 365 * 86400
"""Seconds; longer bans are cut to it, since the kernel counts in milliseconds."""
_AT_ONCE = 2000
"""Elements in one transaction: more don't fit into a socket's buffer."""
# A set that is no interval set is a hash table: bans are found and set in the same time however many there are.
# Who has an address of the host's own is the host. Input alone: what the gateway's clients ask of others isn't judged.
_SCRIPT = f"""
add table {FAMILY} {TABLE}
add set {FAMILY} {TABLE} allow4 {{ type ipv4_addr; flags interval; }}
add set {FAMILY} {TABLE} allow6 {{ type ipv6_addr; flags interval; }}
add set {FAMILY} {TABLE} banned4 {{ type ipv4_addr; size {_SIZE}; flags timeout; }}
add set {FAMILY} {TABLE} banned6 {{ type ipv6_addr; size {_SIZE}; flags timeout; }}
add chain {FAMILY} {TABLE} gateway {{ type filter hook input priority -20; policy accept; }}
flush chain {FAMILY} {TABLE} gateway
add rule {FAMILY} {TABLE} gateway fib saddr type local accept
add rule {FAMILY} {TABLE} gateway ip saddr @allow4 accept
add rule {FAMILY} {TABLE} gateway ip6 saddr @allow6 accept
add rule {FAMILY} {TABLE} gateway ip saddr @banned4 counter drop
add rule {FAMILY} {TABLE} gateway ip6 saddr and ffff:ffff:ffff:ffff:: @banned6 counter drop
"""
_COMMENT = re.compile(r"why=([a-z_]{1,32}) failures=(\d{1,9}|-) level=(\d{1,4}) since=(\d{1,12})")


class Nft(Protocol):
    """What we use of `host.firewall.libnft.Nft`: one context, one thread at a time, in the namespace of its maker."""

    def run(self, commands: str) -> None:
        """Run a script as one transaction. Raises `FirewallError`."""

    def listing(self, family: str, table: str) -> Sequence[Mapping[str, Any]] | None:
        """A table's objects as libnftables-json(5); None: no such table. Raises `FirewallError`."""


class Held(Struct, frozen=True):
    """What the kernel has."""

    bans: tuple[Ban, ...]
    allowed: tuple[IPNetwork, ...]
    dropped: int
    """Packets of banned sources since the rules were made."""


class Edge:
    """Sets and reads the kernel's bans. Every method raises `BansError`."""

    def __init__(self, nft: Nft) -> None:
        self._nft = nft

    def ensure(self, allowed: Iterable[IPNetwork]) -> None:
        """Make what is missing of the table, and let in exactly `allowed` whatever is banned; bans stay."""
        lines = [_SCRIPT]
        for version in (4, 6):
            lines.append(f"flush set {FAMILY} {TABLE} allow{version}")
            networks = ", ".join(str(network) for network in _collapsed(allowed, version))
            if networks:
                lines.append(f"add element {FAMILY} {TABLE} allow{version} {{ {networks} }}")
        self._run("\n".join(lines))

    def apply(self, changes: Sequence[Change], now: float) -> None:
        """Carry them out in order, `_AT_ONCE` in a transaction: in force when this returns."""
        for start in range(0, len(changes), _AT_ONCE):
            self._run("\n".join(_commands(change, now) for change in changes[start : start + _AT_ONCE]))

    def read(self, now: float) -> Held | None:
        """What is in force at `now`; None: there is no table, so nobody is banned."""
        try:
            objects = self._nft.listing(FAMILY, TABLE)
        except FirewallError as error:
            raise BansError(f"the bans can't be read: {error}") from error
        if objects is None:
            return None
        sets = {item["set"]["name"]: item["set"].get("elem", []) for item in objects if "set" in item}
        rules = [item["rule"] for item in objects if "rule" in item]
        elements = [*sets.get("banned4", ()), *sets.get("banned6", ())]
        allowed = [*sets.get("allow4", ()), *sets.get("allow6", ())]
        return Held(
            tuple(_ban(element, now) for element in elements),
            tuple(network for element in allowed for network in _networks(element)),
            sum(
                statement["counter"]["packets"]
                for rule in rules
                if rule["chain"] == "gateway"
                for statement in rule["expr"]
                if "counter" in statement
            ),
        )

    def remove(self) -> None:
        """Let everybody in: what the built-in bans have in the table goes; Fail2Ban's stays, or else the table goes too."""
        try:
            objects = self._nft.listing(FAMILY, TABLE)
        except FirewallError as error:
            raise BansError(f"the bans can't be read: {error}") from error
        if objects is None:
            return
        if {item["chain"]["name"] for item in objects if "chain" in item} <= {"gateway"}:
            self._run(f"delete table {FAMILY} {TABLE}")
            return
        self._run(
            f"{_SCRIPT}flush chain {FAMILY} {TABLE} gateway\ndelete chain {FAMILY} {TABLE} gateway\n"
            f"delete set {FAMILY} {TABLE} banned4\ndelete set {FAMILY} {TABLE} banned6"
        )

    def _run(self, script: str) -> None:
        try:
            self._nft.run(script)
        except FirewallError as error:
            raise BansError(f"the bans can't be changed: {error}") from error


def _commands(change: Change, now: float) -> str:
    source = change.ban.source if isinstance(change, Put) else change.source
    named = f"{FAMILY} {TABLE} banned{source.version}"
    key = source.network_address
    # nft 1.0 has no word for “if it is there”. Within a transaction nobody sees the steps.
    commands = f"add element {named} {{ {key} }}\ndelete element {named} {{ {key} }}"
    if not isinstance(change, Put):
        return commands
    ban = change.ban
    timeout = ""
    if ban.until is not None:
        timeout = f" timeout {max(1, min(_LONGEST, round(ban.until - now)))}s"
    failures = "-" if ban.failures is None else ban.failures
    comment = f"why={ban.why} failures={failures} level={ban.level} since={int(ban.since)}"
    return f'{commands}\nadd element {named} {{ {key}{timeout} comment "{comment}" }}'


def _ban(element: Any, now: float) -> Ban:
    inner = element["elem"] if isinstance(element, dict) and "elem" in element else {"val": element}
    value = inner["val"]
    source: IPNetwork = IPv6Network((value, 64)) if ":" in value else IPv4Network(value)
    until = now + inner["expires"] if "expires" in inner else None
    found = _COMMENT.fullmatch(inner.get("comment", ""))
    if found is None:
        return Ban(source, By.GATEWAY, now, until, Why.UNKNOWN, None, 0)
    why = Why(found[1]) if found[1] in set(Why) else Why.UNKNOWN
    failures = None if found[2] == "-" else int(found[2])
    return Ban(source, By.GATEWAY, float(found[4]), until, why, failures, int(found[3]))


def _networks(element: Any) -> list[IPNetwork]:
    if isinstance(element, str):
        return [ip_network(element)]
    if "prefix" in element:
        return [ip_network(f"{element['prefix']['addr']}/{element['prefix']['len']}")]
    first, last = (ip_address(end) for end in element["range"])
    return list(summarize_address_range(first, last))


def _collapsed(networks: Iterable[IPNetwork], version: int) -> list[IPNetwork]:
    return list(collapse_addresses(network for network in networks if network.version == version))  # type: ignore[type-var]
