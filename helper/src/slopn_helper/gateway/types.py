"""What the gateway's parts speak of: pools, devices and their leases, tokens, gateways. Times are Unix seconds, UTC."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_wire.profile import Endpoint, IPAddress, IPNetwork


class DeviceKind(StrEnum):
    """What a device speaks."""

    SLOPN = "slopn"
    """A SloPN client: renews its enrolment, rotates its key, agrees preshared keys."""
    WIREGUARD = "wireguard"
    """Any WireGuard program with a `.conf` of ours."""


class Pool(Struct, frozen=True):
    """A network whose addresses are lent to devices."""

    name: str
    network: IPNetwork
    reserved: tuple[IPAddress, ...] = ()
    """Never lent, besides those that `pools.usable` leaves out by itself."""


class Lease(Struct, frozen=True):
    """One address that is a device's alone, on every gateway."""

    device: str
    pool: str
    address: IPAddress


class Device(Struct, frozen=True):
    """A machine that was enrolled. Whether it may connect at a moment is `devices.standing`'s to say."""

    id: str
    name: str
    public_key: bytes
    """Its WireGuard key, 32 bytes."""
    kind: DeviceKind
    created: float
    expires: float | None = None
    """None: never."""
    disabled: bool = False
    revoked: float | None = None
    """When. It is for good: its leases go to others after a rest, its keys are refused."""
    renewed: float | None = None
    """When its enrolment was last prolonged."""
    next_key: bytes | None = None
    """The key it changes to: both are valid until a handshake with this one has been seen."""
    token: bytes | None = None
    """Hash of the token that it was enrolled by; None: an administrator added it, or that token is forgotten."""


class Enrolled(Struct, frozen=True):
    """A device with its leases, one of each family that has pools; none when it is revoked or expired for a while."""

    device: Device
    leases: tuple[Lease, ...]


class Token(Struct, frozen=True):
    """Leave to enrol. The secret itself is kept nowhere."""

    hash: bytes
    """SHA-256 of the secret, 32 bytes."""
    label: str
    uses: int
    """How many devices it may enrol in all."""
    left: int
    """How many of them it still may."""
    created: float
    expires: float
    revoked: float | None = None


class Gateway(Struct, frozen=True):
    """One server. All that share a registry know all devices."""

    id: str
    endpoint: Endpoint
    """Where it takes WireGuard."""
    public_key: bytes
    """Its own WireGuard key, 32 bytes."""
    spki_pin: bytes
    """SHA-256 of its enrolment certificate's SubjectPublicKeyInfo."""
    api: Endpoint
    """Where its enrolment API is."""
    last_seen: float
