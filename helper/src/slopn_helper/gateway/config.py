"""`gateway.toml`: what an administrator decides. Each key is described once, here: for the file that `init` writes, for
errors and for the types that are checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from msgspec import Meta, Struct

from slopn_helper.gateway import pools
from slopn_helper.gateway.types import Pool
from slopn_wire.enrolment import host_problem
from slopn_wire.profile import IPAddress, IPNetwork

_PORT = "a number from 1 to 65535"
_DAYS = "a number of days from 1 to 3650"


class Nat(StrEnum):
    """How packets of one family leave for the internet."""

    MASQUERADE = "masquerade"
    ROUTED = "routed"
    OFF = "off"


def _key(allowed: str, about: str, **limits: Any) -> Meta:
    return Meta(description=about, extra={"allowed": allowed}, **limits)


class WireGuardSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The tunnel's own end."""

    endpoint: Annotated[
        str,
        _key("a host name or an IP address", "Name or address by which clients reach this server, without a port."),
    ]
    port: Annotated[int, _key(_PORT, "UDP port of WireGuard.", ge=1, le=65535)] = 51820
    interface: Annotated[
        str,
        _key(
            "1 to 15 letters, digits, - and _",
            "Name of the tunnel's network interface.",
            pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,14}\Z",
        ),
    ] = "slopngw0"


class PoolsSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses for devices."""

    ipv4: Annotated[
        tuple[IPv4Network, ...],
        _key(
            "a list of networks such as 100.80.0.0/16, /8 to /30, that don't overlap",
            "IPv4 networks whose addresses are lent to devices, the first first. Gateways have each network's first address.",
        ),
    ] = ()
    ipv6: Annotated[
        tuple[IPv6Network, ...],
        _key(
            "a list of networks such as fd12:3456:789a::/64, /32 to /126, that don't overlap",
            "IPv6 networks, likewise. `init` makes one up at random (RFC 4193), so that no two sites have the same.",
        ),
    ] = ()
    reserved: Annotated[
        tuple[IPAddress, ...],
        _key("a list of IP addresses", "Addresses inside these networks that are never lent."),
    ] = ()


class NetworkSection(Struct, frozen=True, forbid_unknown_fields=True):
    """What devices reach."""

    nat4: Annotated[
        Nat,
        _key(
            "masquerade, routed, off",
            "IPv4 towards the internet: behind this server's address, routed as it is, or not at all.",
        ),
    ] = Nat.MASQUERADE
    nat6: Annotated[Nat, _key("masquerade, routed, off", "IPv6 likewise.")] = Nat.MASQUERADE
    isolate: Annotated[bool, _key("true, false", "Devices can't reach each other.")] = True


class DnsSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Names."""

    servers: Annotated[
        tuple[IPAddress, ...],
        _key("a list of IP addresses", "Resolvers that devices are told. Empty: this gateway's own."),
    ] = ()
    search: Annotated[tuple[str, ...], _key("a list of domains", "Domains that devices append to short names.")] = ()


class EnrolmentSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTPS side, where devices are enrolled and renewed."""

    listen: Annotated[
        tuple[IPAddress, ...],
        _key("a list of IP addresses", "Addresses to listen on. Empty: all."),
    ] = ()
    port: Annotated[int, _key(_PORT, "TCP port.", ge=1, le=65535)] = 8443
    certificate: Annotated[
        str,
        _key("an absolute path, or empty", "Certificate (PEM, with its chain) of your own. Empty: one is made."),
    ] = ""
    key: Annotated[str, _key("an absolute path, or empty", "Its private key (PEM).")] = ""


class DevicesSection(Struct, frozen=True, forbid_unknown_fields=True):
    """How long an enrolment lasts."""

    lifetime_days: Annotated[
        int,
        _key(_DAYS, "A SloPN client renews its enrolment before this is over; one that doesn't is out.", ge=1, le=3650),
    ] = 90
    keep_revoked_days: Annotated[
        int, _key(_DAYS, "Names of revoked and expired devices are forgotten after this.", ge=1, le=3650)
    ] = 90


class DatabaseSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Where devices and leases are kept."""

    url: Annotated[
        str,
        _key(
            "sqlite:////absolute/path or postgresql://user:password@host/name",
            "A file of this server's, or a PostgreSQL that several gateways share.",
        ),
    ] = "sqlite:////var/lib/slopn/gateway/registry.db"


class BansSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Bans without Fail2Ban."""

    enabled: Annotated[
        bool, _key("true, false", "Ban whoever fails too often. Turn it off where Fail2Ban does it.")
    ] = True
    allow: Annotated[
        tuple[IPNetwork, ...],
        _key("a list of networks and addresses", "Never banned: name the address you administer this server from."),
    ] = ()


class WatchSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Metrics and health."""

    port: Annotated[
        int, _key("a number from 0 to 65535", "TCP port on loopback for Prometheus; 0: none.", ge=0, le=65535)
    ] = 9586
    per_device: Annotated[
        bool, _key("true, false", "A series for each device, by its id: who was online when can then be read there.")
    ] = False


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. Only `wireguard.endpoint` and one pool must be said."""

    wireguard: WireGuardSection
    pools: PoolsSection
    network: NetworkSection = NetworkSection()
    dns: DnsSection = DnsSection()
    enrolment: EnrolmentSection = EnrolmentSection()
    devices: DevicesSection = DevicesSection()
    database: DatabaseSection = DatabaseSection()
    bans: BansSection = BansSection()
    watch: WatchSection = WatchSection()


class Wrong(Struct, frozen=True):
    """A value that its type alone doesn't rule out: which key, and a sentence."""

    path: tuple[str | int, ...]
    message: str


def problem(config: Config) -> Wrong | None:
    """What can't be, although each value for itself could; None: nothing."""
    if (sentence := host_problem(config.wireguard.endpoint)) is not None:
        return Wrong(("wireguard", "endpoint"), sentence)
    for at, domain in enumerate(config.dns.search):
        if host_problem(domain) is not None:
            return Wrong(("dns", "search", at), "This is no domain in ASCII.")
    return _pools_problem(config.pools) or _enrolment_problem(config.enrolment) or _url_problem(config.database.url)


def lent(section: PoolsSection) -> tuple[Pool, ...]:
    """The pools as the registry wants them: `v4`, `v4-2`, …, `v6`, …"""
    found = []
    families: Sequence[tuple[str, Sequence[IPNetwork]]] = (("v4", section.ipv4), ("v6", section.ipv6))
    for family, networks in families:
        for number, network in enumerate(networks, 1):
            reserved = tuple(each for each in section.reserved if each in network)
            found.append(Pool(family if number == 1 else f"{family}-{number}", network, reserved))
    return tuple(found)


def defaults(endpoint: str, random: bytes) -> Config:
    """What `init` begins with. `random`: 7 random bytes, for networks that no other site is likely to have.

    IPv4 comes from 100.64.0.0/10, the carriers' own (RFC 6598): it clashes with neither homes nor offices; 100.100 and
    up to .127 are left out, where others (Alibaba's services, Tailscale's resolver) sit.
    """
    network4 = IPv4Network(f"100.{64 + random[5] % 36}.{random[6] & 0xF0}.0/20")
    network6 = ip_network((b"\xfd" + random[:5] + bytes(10), 64))
    assert isinstance(network6, IPv6Network)  # noqa: S101 - 16 bytes make no other
    return Config(WireGuardSection(endpoint), PoolsSection((network4,), (network6,)))


def _pools_problem(section: PoolsSection) -> Wrong | None:
    if not section.ipv4 and not section.ipv6:
        return Wrong(("pools",), "There must be at least one network in ipv4 or ipv6.")
    limits: Sequence[tuple[str, Sequence[IPNetwork], int, int]] = (
        ("ipv4", section.ipv4, 8, 30),
        ("ipv6", section.ipv6, 32, 126),
    )
    for name, networks, shortest, longest in limits:
        for at, network in enumerate(networks):
            if not shortest <= network.prefixlen <= longest:
                return Wrong(("pools", name, at), f"{network} is too large or too small.")
            if (
                network.is_multicast
                or network.is_loopback
                or network.is_link_local
                or network.network_address.is_unspecified
            ):
                return Wrong(
                    ("pools", name, at), f"{network} is for other purposes: no device can have an address of it."
                )
    named = lent(section)
    if (clash := pools.overlapping(named)) is not None:
        at = named.index(clash[1])
        name = f"ipv{clash[1].network.version}"
        index = at if name == "ipv4" else at - len(section.ipv4)
        return Wrong(("pools", name, index), f"{clash[1].network} overlaps {clash[0].network}.")
    for at, address in enumerate(section.reserved):
        if not any(address in pool.network for pool in named):
            return Wrong(("pools", "reserved", at), f"{address} is in none of the networks.")
    return None


def _enrolment_problem(section: EnrolmentSection) -> Wrong | None:
    for name, path, other in (
        ("certificate", section.certificate, section.key),
        ("key", section.key, section.certificate),
    ):
        if path and not path.startswith("/"):
            return Wrong(("enrolment", name), "The path doesn't begin with a slash.")
        if path and not other:
            return Wrong(("enrolment", name), "Certificate and key go together: one of them is missing.")
    return None


def _url_problem(url: str) -> Wrong | None:
    scheme, colon, rest = url.partition("://")
    good = rest.startswith("/") and len(rest) > 2 and rest[1] == "/" if scheme == "sqlite" else scheme == "postgresql"
    if not colon or not good or not rest:
        # The sentence doesn't repeat the value: it may hold a password.
        return Wrong(("database", "url"), "This is no URL of a database that the gateway knows.")
    return None
