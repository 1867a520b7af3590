"""What an enrolment API is asked and answers: JSON over HTTPS (TLS 1.3), `POST` alone, under `/v1/`.

A device proves that it has the private key whose public key it shows: it asks for a challenge first, and each request
carries a proof made with it (`slopn_helper.possession`). Binary values are base64 (RFC 4648, section 4), times Unix seconds.
"""

from __future__ import annotations

from msgspec import Struct

from slopn_wire.profile import Endpoint, IPAddress, IPInterface

CHALLENGE, ENROL, RENEW, ROTATE = "/v1/challenge", "/v1/enrol", "/v1/renew", "/v1/rotate"
"""Paths. `CHALLENGE` takes an empty object and answers `Challenge`; the others answer `Configuration`."""

MOST_BYTES = 4096
"""Of a request's body; more is 413."""


class Challenge(Struct, frozen=True):
    """To be used once, at the gateway that gave it, within `seconds`."""

    challenge: bytes
    """Opaque."""
    public_key: bytes
    """X25519, 32 bytes: what the proof is made with; the gateway's own for this purpose, not WireGuard's."""
    seconds: float


class Enrol(Struct, frozen=True, forbid_unknown_fields=True):
    """A token for a place. The same token with the same key gives the same device again."""

    token: bytes
    """32 bytes."""
    name: str
    """What the device is to be called in lists: `gateway.devices.name_problem` says what it may be."""
    public_key: bytes
    """The device's WireGuard key, 32 bytes."""
    challenge: bytes
    proof: bytes
    """32 bytes, over `ENROL`."""

    def __repr__(self) -> str:
        return f"Enrol({self.name!r})"


class Renew(Struct, frozen=True, forbid_unknown_fields=True):
    """Prolong the enrolment of the device with that key, and tell how things are configured now."""

    public_key: bytes
    challenge: bytes
    proof: bytes
    """Over `RENEW`."""


class Rotate(Struct, frozen=True, forbid_unknown_fields=True):
    """Change the device's key: both are valid until a handshake with the new one was seen."""

    public_key: bytes
    """The key of now."""
    next_key: bytes
    challenge: bytes
    proof: bytes
    """Over `ROTATE`, with the private key of now."""
    next_proof: bytes
    """Likewise with the next one."""


class ApiGateway(Struct, frozen=True):
    """One of the servers that take this device."""

    endpoint: Endpoint
    """Where it takes WireGuard."""
    public_key: bytes
    """Its WireGuard key, 32 bytes."""
    pin: bytes
    """SHA-256 of its enrolment certificate's SubjectPublicKeyInfo."""
    api: Endpoint
    """Where it takes renewals."""


class Configuration(Struct, frozen=True):
    """All that a device needs to connect. Members may be added: whoever reads passes over those it doesn't know."""

    device: str
    """Its id in the registry."""
    name: str
    addresses: tuple[IPInterface, ...]
    """/32 and /128: other devices are no neighbours."""
    gateways: tuple[ApiGateway, ...]
    """At least one; the one that answers comes first."""
    dns: tuple[IPAddress, ...]
    search: tuple[str, ...]
    gateway_addresses: tuple[IPAddress, ...]
    """Every gateway's own, inside the tunnel: preshared keys are agreed with, and paths' MTU measured at, the first."""
    expires: float | None = None
    """None: never."""
    post_quantum: bool = True
    """Whether the gateways agree preshared keys by ML-KEM-768 (docs/decisions/0008)."""


class ApiProblem(Struct, frozen=True):
    """Every answer that is none of the above, with its HTTP status. Nothing was changed, unless a later try says so."""

    code: str
    """A word for programs: `bad_request`, `bad_proof`, `bad_token`, `key_taken`, `pool_exhausted`, `unknown_device`, `ended`,
    `too_large`, `too_many`, `unavailable`, `not_found`, `method`."""
    message: str
    """A sentence for people: what, and what to do."""
    field: str | None = None
    """Which of the request's members is wrong."""
