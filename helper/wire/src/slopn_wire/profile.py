"""What a user configures: a profile, its peers and its resolvers.

Nothing here holds a secret: private and preshared keys live in the helper's secret store, under the profile's name.
"""

from __future__ import annotations

from abc import ABCMeta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    IPAddress = IPv4Address | IPv6Address
    IPInterface = IPv4Interface | IPv6Interface
    IPNetwork = IPv4Network | IPv6Network
else:
    # msgspec refuses a union of two custom types; one abstract class for both families says the same.
    IPAddress = ABCMeta("IPAddress", (), {})
    IPInterface = ABCMeta("IPInterface", (), {})
    IPNetwork = ABCMeta("IPNetwork", (), {})
    for _family, _members in (
        (IPAddress, (IPv4Address, IPv6Address)),
        (IPInterface, (IPv4Interface, IPv6Interface)),
        (IPNetwork, (IPv4Network, IPv6Network)),
    ):
        for _member in _members:
            _family.register(_member)


class Endpoint(Struct, frozen=True):
    """Where a peer listens. `host` is an IP literal or a name; a name is resolved by the helper alone."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class DnsConfig(Struct, frozen=True):
    """Resolvers to use while connected. Empty `servers`: leave the host's resolvers alone."""

    servers: tuple[IPAddress, ...] = ()
    search: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    """Non-empty: only these suffixes go to `servers` (split DNS)."""


class Peer(Struct, frozen=True):
    """One WireGuard peer, in the words of wg(8)."""

    public_key: str
    """Base64, 44 characters."""
    endpoint: Endpoint | None = None
    allowed_ips: tuple[IPNetwork, ...] = ()
    persistent_keepalive: int | None = None
    """Seconds; None: off."""
    has_preshared_key: bool = False


class PostQuantum(StrEnum):
    """Whether fresh preshared keys are agreed by ML-KEM-768 inside the tunnel (docs/decisions/0008)."""

    OFF = "off"
    ON = "on"
    """Where the gateway does; the tunnel works meanwhile, and without."""
    DEMAND = "demand"
    """No traffic without one."""


class EnrolledGateway(Struct, frozen=True):
    """One of the servers that take an enrolled device; all know its key and its addresses."""

    endpoint: Endpoint
    public_key: str
    """Base64, 44 characters."""
    pin: str
    """SHA-256 of its enrolment certificate's SubjectPublicKeyInfo, hexadecimal."""
    api: Endpoint
    """Where it takes renewals."""


class Enrolment(Struct, frozen=True):
    """What a profile has that came by an enrolment link."""

    device: str
    """Its id at the gateways."""
    gateways: tuple[EnrolledGateway, ...]
    """At least one. The profile's one peer has the first one's key and endpoint; whichever answers takes its place."""
    inside: tuple[IPAddress, ...]
    """Every gateway's own addresses in the tunnel."""
    since: float
    """When it was made or renewed last, Unix time; a renewal is due after two thirds of the time to `expires`."""
    expires: float | None = None
    """None: never."""


class Profile(Struct, frozen=True):
    """A tunnel the user can choose by name; what a `.conf` file becomes on import."""

    name: str
    addresses: tuple[IPInterface, ...]
    peers: tuple[Peer, ...]
    dns: DnsConfig = DnsConfig()
    mtu: int | None = None
    """None: as the path is found to be, at most 80 bytes below the link's, as wg-quick does."""
    listen_port: int | None = None
    table: str = "auto"
    """`auto`, `off` (no routes) or a table's number in decimal, as wg-quick(8) has it."""
    fwmark: int | None = None
    """None: the helper's own mark."""
    notes: tuple[str, ...] = ()
    """Sentences about lines of the imported file that are kept but never obeyed (PostUp and its kin)."""
    enrolment: Enrolment | None = None
    """None: imported from a file."""
    post_quantum: PostQuantum = PostQuantum.OFF
    """Means something with an enrolment only: other servers don't speak the protocol."""
