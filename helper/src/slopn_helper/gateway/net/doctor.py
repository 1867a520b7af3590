"""Would devices' packets get through this host? Judged from facts, with what to do where they wouldn't. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from slopn_helper.gateway.net.policy import GatewayNetPolicy

_OVERHEAD = 80
"""What WireGuard adds to a packet over IPv6; over IPv4 it is 20 less."""
_IPV6_LEAST = 1280
"""RFC 8200, section 5."""


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"
    """It may work, or work badly."""
    FAILED = "failed"


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    """A short name that stays: `forwarding4`, `table` and so on."""
    verdict: Verdict
    sentence: str
    remedy: str = ""
    """What to do; empty where nothing needs to be done."""


class Link(Struct, frozen=True):
    """An interface of this host."""

    name: str
    mtu: int
    usable: bool
    """It is up and has a carrier."""


class Setting(Struct, frozen=True):
    """A kernel setting that isn't as the policy needs it."""

    name: str
    """Below /proc/sys, with slashes."""
    value: str
    wanted: str


class ForeignChain(Struct, frozen=True):
    """Another program's chain that packets meet besides ours: what it drops is dropped, whatever we say."""

    family: str
    table: str
    name: str
    hook: str
    """`forward` or `input`."""
    drops: bool
    """Its policy is to drop what no rule lets through."""
    beside: frozenset[str] = frozenset()
    """The names of all chains in that table."""
    interfaces: frozenset[str] = frozenset()
    """That are named in that table's rules."""
    ports: frozenset[int] = frozenset()
    """Destination ports that are named in that table's rules."""


class Facts(Struct, frozen=True, kw_only=True):
    """What was found."""

    table: str | None = None
    """How the table differs from the policy's; None: it is in force."""
    settings: tuple[Setting, ...] = ()
    links: tuple[Link, ...] = ()
    default4: tuple[str, ...] = ()
    """The interfaces of the IPv4 default routes, best first."""
    default6: tuple[str, ...] = ()
    chains: tuple[ForeignChain, ...] = ()
    legacy: bool = False
    """iptables' older kind has rules, which nftables doesn't list."""


def examine(policy: GatewayNetPolicy, facts: Facts) -> tuple[Finding, ...]:
    """All findings, good ones too, in the order in which they are best mended."""
    return (
        *_forwarding(policy, facts),
        _table(facts),
        *_interfaces(policy, facts),
        *_ways(policy, facts),
        *_others(policy, facts),
    )


def _versions(policy: GatewayNetPolicy) -> list[int]:
    return sorted({pool.version for pool in policy.pools})


def _forwarding(policy: GatewayNetPolicy, facts: Facts) -> Iterator[Finding]:
    wrong = {setting.name: setting for setting in facts.settings}
    names = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
    for version in _versions(policy):
        check = f"forwarding{version}"
        if (setting := wrong.pop(names[version], None)) is None:
            yield Finding(check, Verdict.OK, f"The kernel forwards IPv{version}.")
        else:
            yield Finding(
                check,
                Verdict.FAILED,
                f"The kernel doesn't forward IPv{version}: {setting.name} is {setting.value}.",
                f"Start the gateway, which sets it, or run `sysctl -w {setting.name}={setting.wanted}`; if it is 0 again "
                "later, look for it in /etc/sysctl.conf and /etc/sysctl.d.",
            )
    for setting in wrong.values():
        why = (
            "the server may lose its own IPv6 route"
            if setting.name.endswith("/accept_ra")
            else "one of several walls is missing"
        )
        yield Finding(
            "settings",
            Verdict.WARNING,
            f"{setting.name} is {setting.value} instead of {setting.wanted}: {why}.",
            f"Run `sysctl -w {setting.name}={setting.wanted}`.",
        )


def _table(facts: Facts) -> Finding:
    if facts.table is None:
        return Finding("table", Verdict.OK, "The rules for devices are in force.")
    return Finding(
        "table",
        Verdict.FAILED,
        f"The rules for devices aren't in force: {facts.table}.",
        "Restart the gateway. If it comes again, another program changes nftables: `nft monitor` shows which one.",
    )


def _interfaces(policy: GatewayNetPolicy, facts: Facts) -> Iterator[Finding]:
    links = {link.name: link for link in facts.links}
    uplinks = [links[name].mtu for name in policy.uplinks if name in links]
    for name in policy.interfaces:
        if name not in links:
            yield Finding(
                "interface", Verdict.FAILED, f"There is no interface {name}.", "Start the gateway, which makes it."
            )
            continue
        mtu = links[name].mtu
        if 6 in _versions(policy) and mtu < _IPV6_LEAST:
            yield Finding(
                "mtu",
                Verdict.FAILED,
                f"{name} has an MTU of {mtu}, and IPv6 needs {_IPV6_LEAST}.",
                f"Set it to {_IPV6_LEAST} at least.",
            )
        elif uplinks and mtu > min(uplinks) - _OVERHEAD:
            best = max(min(uplinks) - _OVERHEAD, _IPV6_LEAST)
            yield Finding(
                "mtu",
                Verdict.WARNING,
                f"{name} has an MTU of {mtu}, and with WireGuard's {_OVERHEAD} bytes its packets don't fit an uplink of "
                f"{min(uplinks)}.",
                f"Set the MTU of {name} and of the devices to {best}.",
            )
        else:
            yield Finding("mtu", Verdict.OK, f"{name} has an MTU of {mtu}, which fits.")


def _ways(policy: GatewayNetPolicy, facts: Facts) -> Iterator[Finding]:
    links = {link.name: link for link in facts.links}
    for name in policy.uplinks:
        if name not in links:
            known = ", ".join(sorted(set(links) - {"lo", *policy.interfaces})) or "none"
            yield Finding(
                "uplink",
                Verdict.FAILED,
                f"There is no interface {name}, which is named as an uplink.",
                f"Name one that is there ({known}) in the gateway's configuration.",
            )
        elif not links[name].usable:
            yield Finding(
                "uplink", Verdict.FAILED, f"{name} is down, or its cable is out.", f"Run `ip link set {name} up`."
            )
    for version in _versions(policy):
        check = f"route{version}"
        defaults = facts.default4 if version == 4 else facts.default6
        if not defaults:
            yield Finding(
                check,
                Verdict.WARNING,
                f"This server has no IPv{version} default route: devices reach no IPv{version} internet.",
                f"Give the server IPv{version}, or take the IPv{version} pool out.",
            )
        elif defaults[0] not in policy.uplinks:
            yield Finding(
                check,
                Verdict.FAILED,
                f"IPv{version} leaves by {defaults[0]}, which isn't named as an uplink, so devices' packets are refused.",
                f"Name {defaults[0]} as an uplink in the gateway's configuration.",
            )
        else:
            yield Finding(check, Verdict.OK, f"IPv{version} leaves by {defaults[0]}.")


def _others(policy: GatewayNetPolicy, facts: Facts) -> Iterator[Finding]:
    found = False
    for chain in facts.chains:
        where = f"{chain.family} {chain.table} {chain.name}"
        if chain.hook == "forward" and _holds_back(chain) and not set(policy.interfaces) <= chain.interfaces:
            found = True
            program, remedy = _program(chain, policy)
            yield Finding(
                "others",
                Verdict.FAILED,
                f"{program} drops what this host forwards (chain {where}), devices' packets as well.",
                remedy,
            )
        elif chain.hook == "input" and _holds_back(chain) and policy.wireguard_port not in chain.ports:
            found = True
            program, _ = _program(chain, policy)
            yield Finding(
                "others",
                Verdict.WARNING,
                f"{program} drops what comes to this host (chain {where}), and no rule names port {policy.wireguard_port}.",
                _open_ports(chain, policy),
            )
    if facts.legacy:
        found = True
        yield Finding(
            "others",
            Verdict.WARNING,
            "iptables-legacy is in use, whose rules can't be seen from here.",
            "Look whether `iptables-legacy -S FORWARD` and `ip6tables-legacy -S FORWARD` drop; if so, accept there what "
            f"comes from {policy.interfaces[0]} and, where it is established, what goes to it.",
        )
    if not found:
        yield Finding("others", Verdict.OK, "No other firewall holds devices' packets back.")


def _holds_back(chain: ForeignChain) -> bool:
    # firewalld's chains accept by policy and end in a refusal.
    return chain.drops or chain.table == "firewalld"


def _program(chain: ForeignChain, policy: GatewayNetPolicy) -> tuple[str, str]:
    """Who made a chain, and how he is told to let devices through: what devices may do is then ours to say."""
    inside, uplink = policy.interfaces[0], policy.uplinks[0]
    if chain.table == "firewalld":
        return "firewalld", (
            f"Run `firewall-cmd --permanent --zone=trusted --add-interface={inside}` and `firewall-cmd --reload`."
        )
    if any(name.startswith(("ufw-", "ufw6-")) for name in chain.beside):
        return "ufw", f"Run `ufw route allow in on {inside} out on {uplink}`."
    if "DOCKER-USER" in chain.beside:
        tool = "ip6tables" if chain.family == "ip6" else "iptables"
        return "Docker", (
            f"Run `{tool} -I DOCKER-USER -i {inside} -j ACCEPT` and `{tool} -I DOCKER-USER -o {inside} -m conntrack "
            "--ctstate ESTABLISHED,RELATED -j ACCEPT`, and have them run after each start of Docker."
        )
    return "Another firewall", (
        f"Accept in that chain what comes from {inside} (`iifname {inside} accept`) and its answers "
        f"(`oifname {inside} ct state established,related accept`)."
    )


def _open_ports(chain: ForeignChain, policy: GatewayNetPolicy) -> str:
    wireguard, https = f"{policy.wireguard_port}/udp", f"{policy.https_port}/tcp"
    if chain.table == "firewalld":
        return (
            f"Run `firewall-cmd --permanent --add-port={wireguard} --add-port={https}` and `firewall-cmd --reload`, "
            "unless they are open already."
        )
    if any(name.startswith(("ufw-", "ufw6-")) for name in chain.beside):
        return f"Run `ufw allow {wireguard}` and `ufw allow {https}`, unless they are open already."
    return f"Let {wireguard} and {https} in, unless that is done already."
