"""The enrolment API on loopback, with real TLS and a real registry; and devices that talk to it, honest and not."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import ssl
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_helper.gateway.api import Api, Limits, Patience, Share
from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.lines import Refusal
from slopn_helper.gateway.certificate import Identity, ensure
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.types import Enrolled
from slopn_helper.possession import prove
from slopn_wire.enrolment_api import CHALLENGE, ENROL, RENEW, ROTATE, ApiGateway, Configuration
from slopn_wire.profile import Endpoint
from support.registry import DAY, NOW
from support.until import until_async

LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))
WIDE = Limits(visits=Share(1e6, 1e6), requests=Share(1e6, 1e6))
"""For tests that aren't about limits."""
PATIENT = Patience(handshake=60.0, asking=60.0, answering=120.0, idle=60.0)
"""For a busy machine."""


class Heard:
    """What the API told: a meter, and whoever is told of refusals."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int]] = []
        self.new = 0
        self.refusals: list[Refusal] = []
        self.whys: Counter[Why] = Counter()

    def request(self, path: str, status: int, seconds: float) -> None:
        """See `Meter`."""
        assert seconds >= 0
        self.requests.append((path, status))

    def enrolled(self) -> None:
        """See `Meter`."""
        self.new += 1

    def refused(self, why: Why) -> None:
        """See `Meter`."""
        self.whys[why] += 1

    def handshake(self, seconds: float | None) -> None:
        """See `Meter`."""

    def put_in_force(self, seconds: float) -> None:
        """See `Meter`."""


class World:
    """A running API. `now` is what its clock says."""

    def __init__(self, registry: Registry, identity: Identity) -> None:
        self.registry = registry
        self.identity = identity
        self.heard = Heard()
        self.now = NOW
        self.port = 0

    async def describe(self, enrolled: Enrolled) -> Configuration:
        """As a gateway does, of what it has."""
        here = Endpoint("127.0.0.1", 51820)
        device = enrolled.device
        return Configuration(
            device=device.id,
            name=device.name,
            addresses=tuple(ip_interface(lease.address) for lease in enrolled.leases),
            gateways=(ApiGateway(here, bytes(32), self.identity.pin, Endpoint("127.0.0.1", self.port)),),
            dns=(ip_address("10.0.0.1"),),
            search=(),
            gateway_addresses=(ip_address("10.0.0.1"),),
            expires=device.expires,
        )

    def tls(self) -> ssl.SSLContext:
        """A client's, which trusts this gateway alone."""
        context = ssl.create_default_context(cafile=str(self.identity.chain_pem_path))
        context.check_hostname = False
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


@asynccontextmanager
async def serving(
    registry: Registry, folder: Path, *, limits: Limits = WIDE, patience: Patience = PATIENT
) -> AsyncIterator[World]:
    """An API that listens on a free port of 127.0.0.1 and ::1."""
    world = World(registry, ensure(folder / "identity", "127.0.0.1"))
    api = Api(
        registry,
        world.identity,
        listen=LOOPBACK,
        port=0,
        describe=world.describe,
        refused=world.heard.refusals.append,
        meter=world.heard,
        clock=lambda: world.now,
        chance=secrets.token_bytes,
        lifetime=90 * DAY,
        limits=limits,
        patience=patience,
    )
    running = asyncio.get_running_loop().create_task(api.run())
    try:
        await until_async(lambda: api.listening.is_set() or running.done(), 60.0, "the API listens")
        if running.done():
            running.result()
        world.port = api.addresses[0][1]
        yield world
    finally:
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        """Of an `ApiProblem`; empty: none."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class Line:
    """One connection, kept between requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, path: str, message: Any, method: str = "POST") -> Reply:
        """One request; `message` as JSON, or bytes as they are."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()
        return await self.reply()

    async def reply(self) -> Reply:
        """The next answer. Raises `EOFError` if the connection ended without one."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await self.reader.readexactly(int(headers["content-length"]))
        return Reply(int(head[0].split()[1]), headers, json.loads(body))

    def close(self) -> None:
        """At once."""
        self.writer.transport.abort()


@asynccontextmanager
async def connected(
    world: World, host: str = "127.0.0.1", source: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Line]:
    """A connection over TLS, from `source` if it is said."""
    reader, writer = await asyncio.open_connection(
        host, world.port, ssl=tls or world.tls(), local_addr=None if source is None else (source, 0)
    )
    line = Line(reader, writer)
    try:
        yield line
    finally:
        line.close()


class DeviceKey:
    """A device's private key, and the requests that only it can make."""

    def __init__(self) -> None:
        self._key = X25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes_raw()

    @property
    def private(self) -> bytes:
        """The key itself."""
        return self._key.private_bytes_raw()

    async def enrol(
        self, line: Line, token: bytes, name: str = "laptop", changed: dict[str, str] | None = None
    ) -> Reply:
        """A challenge and an enrolment. `changed`: members that are sent otherwise than they should."""
        return await line.ask(ENROL, self.enrolment(await challenge(line), token, name) | (changed or {}))

    def enrolment(self, given: Any, token: bytes, name: str = "laptop") -> dict[str, Any]:
        """The request, for a challenge."""
        about = hashlib.sha256(token).digest() + name.encode()
        return {
            "token": text(token),
            "name": name,
            "public_key": text(self.public),
            "challenge": given["challenge"],
            "proof": self._proof(given, ENROL, about),
        }

    async def renew(self, line: Line) -> Reply:
        """A challenge and a renewal."""
        given = await challenge(line)
        request = {"public_key": text(self.public), "challenge": given["challenge"]}
        return await line.ask(RENEW, request | {"proof": self._proof(given, RENEW, b"")})

    async def rotate(self, line: Line, following: DeviceKey, prover: DeviceKey | None = None) -> Reply:
        """A challenge and a change of keys; the new one's proof by `prover`."""
        given = await challenge(line)
        request = {
            "public_key": text(self.public),
            "next_key": text(following.public),
            "challenge": given["challenge"],
            "proof": self._proof(given, ROTATE, following.public),
            "next_proof": (prover or following)._proof(given, ROTATE, self.public),
        }
        return await line.ask(ROTATE, request)

    def _proof(self, given: Any, purpose: str, about: bytes) -> str:
        verifier, opaque = b64decode(given["public_key"]), b64decode(given["challenge"])
        return text(prove(self._key.private_bytes_raw(), verifier, purpose, opaque, about))


class NoChallenge(AssertionError):
    """The API gives none now."""


async def challenge(line: Line) -> Any:
    """A fresh one. Raises `NoChallenge`."""
    reply = await line.ask(CHALLENGE, {})
    if reply.status != 200:
        raise NoChallenge(reply)
    return reply.body


def text(value: bytes) -> str:
    """As JSON has it."""
    return b64encode(value).decode()
