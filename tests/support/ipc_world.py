"""A server of the helper over socket pairs, with clients that behave as a test likes, whoever a test says they are."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.certificates import LIFETIME
from slopn_helper.ipc.conversation import Timing
from slopn_helper.ipc.endpoints import Connection
from slopn_helper.ipc.limits import Caps, Meter
from slopn_helper.ipc.registry import Entry
from slopn_helper.ipc.server import Server
from slopn_helper.ipc.sockets import SocketConnection
from slopn_wire.codec import encode, greeting_decoder, server_decoder
from slopn_wire.commands import Command, Request
from slopn_wire.devices import Right, UserBasis
from slopn_wire.events import Reply, Result, ServerMessage
from slopn_wire.framing import MAX_MESSAGE, Deframer, frame
from slopn_wire.greeting import HOST, Greeting
from support.certificates import Shown, client_context, new_key, request_for
from support.fake_hub import FakeGatekeeper, FakeHub, FakeLogs, FakeUsers

ROOT = Credentials(uid=0, gid=0, pid=1, exe="/usr/bin/root", user="root")
MEMBER = Credentials(uid=1000, gid=1000, pid=2, exe="/usr/bin/member", session="c1")
OTHER = Credentials(uid=1001, gid=1001, pid=3, exe="/usr/bin/other", session="c2")
STRANGER = Credentials(uid=1002, gid=1002, pid=4, exe="/usr/bin/stranger", session="c3")
TIMEOUT = 20.0
_AGE = 3 * LIFETIME  # of the authority, so that there may be certificates of it that have expired
_BUFFER = 4096  # small: a reader that doesn't read is felt after a few kilobytes


class FakeEndpoint:
    """Hands out one end of socket pairs, with whatever credentials the test likes."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Connection | OSError] = asyncio.Queue()
        self.closed = False

    async def accept(self) -> Connection:
        """The next one that the test put there."""
        item = await self._waiting.get()
        if isinstance(item, OSError):
            raise item
        return item

    def close(self) -> None:
        """Noted."""
        self.closed = True

    def fail(self, error: OSError) -> None:
        """The next accept raises."""
        self._waiting.put_nowait(error)

    def connect(self, peer: Credentials) -> Client:
        """A client with these credentials, before the greeting."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        theirs.setblocking(False)
        self._waiting.put_nowait(SocketConnection(ours, _Posing(peer)))
        return Client(theirs)


class Client:
    """The other end: in plain, then within TLS; raw bytes or messages."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._frames = Deframer(MAX_MESSAGE)
        self._ready: list[bytes] = []
        self._ids = 0

    async def greeting(self) -> Greeting | None:
        """What the helper says first; None if it hung up without a word. Nothing after it is taken off the socket."""
        header = await self._exactly(4)
        if header is None:
            return None
        raw = await self._exactly(int.from_bytes(header, "big"))
        assert raw is not None
        greeting: Greeting = greeting_decoder.decode(raw)
        return greeting

    async def secure(self, shown: Shown | None = None) -> None:
        """Take the greeting, then be the client of a TLS handshake. Raises `OSError`."""
        greeting = await self.greeting()
        assert greeting is not None, "no greeting"
        assert greeting.refused is None, greeting.refused
        await self.handshake(client_context(greeting.authority, shown))

    async def handshake(self, context: ssl.SSLContext) -> None:
        """TLS on what was greeted. Raises `OSError`."""
        self._reader, self._writer = await asyncio.open_connection(sock=self._end, ssl=context, server_hostname=HOST)

    async def write(self, data: bytes) -> None:
        """Raw bytes, within TLS once it stands."""
        if self._writer is None:
            await asyncio.get_running_loop().sock_sendall(self._end, data)
        else:
            self._writer.write(data)
            await self._writer.drain()

    async def send(self, command: Command, key: str = "") -> int:
        """A request; its id."""
        self._ids += 1
        await self.write(frame(encode(Request(self._ids, command, key))))
        return self._ids

    async def read(self) -> ServerMessage | None:
        """The next message; None at the end."""
        assert self._reader is not None
        while not self._ready:
            async with asyncio.timeout(TIMEOUT):
                try:
                    data = await self._reader.read(1 << 16)
                except OSError:
                    return None
            if not data:
                return None
            self._ready = list(self._frames.feed(data))
        message: ServerMessage = server_decoder.decode(self._ready.pop(0))
        return message

    async def reply(self, number: int) -> Result:
        """The reply to that request, as the very next message."""
        reply = await self.read()
        assert isinstance(reply, Reply), reply
        assert reply.id == number
        return reply.result

    def deafen(self) -> None:
        """Read nothing more: some hundred kilobytes later the helper's bytes pile up in the socket."""
        assert self._writer is not None
        transport = self._writer.transport
        assert isinstance(transport, asyncio.ReadTransport)
        transport.pause_reading()

    async def ask(self, command: Command, key: str = "") -> Result:
        """A request, and its reply as the very next message."""
        return await self.reply(await self.send(command, key))

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.transport.abort()
        else:
            self._end.close()

    async def _exactly(self, size: int) -> bytes | None:
        got = b""
        while len(got) < size:
            async with asyncio.timeout(TIMEOUT):
                try:
                    data = await asyncio.get_running_loop().sock_recv(self._end, size - len(got))
                except ConnectionResetError:
                    return None
            if not data:
                return None
            got += data
        return got


class World:
    """A server with its hub, log, endpoint and paired front ends. `state`: a directory for its keys."""

    def __init__(self, state: Path, limit: int = 256, caps: Caps | None = None, timing: Timing | None = None) -> None:
        self.hub = FakeHub(limit)
        self.logs = FakeLogs(self.hub)
        self.users = FakeUsers(
            root=(ROOT.uid, UserBasis.ROOT),
            member=(MEMBER.uid, UserBasis.GROUP),
            other=(OTHER.uid, UserBasis.ADDED),
        )
        self.gatekeeper = FakeGatekeeper(state, os.geteuid(), self.users, self.hub, time.time() - _AGE)
        self.endpoint = FakeEndpoint()
        self.caps = caps or Caps()
        self.server = Server(
            self.endpoint,
            self.gatekeeper.authority,
            self.gatekeeper,
            self.hub,
            self.logs,
            user=self.users.name,
            caps=caps,
            timing=timing,
        )
        self.clients: list[Client] = []
        self._paired: dict[tuple[int, frozenset[Right]], Shown] = {}

    def connect(self, peer: Credentials = ROOT) -> Client:
        """A new client, before the greeting; hangs up in the end."""
        self.clients.append(self.endpoint.connect(peer))
        return self.clients[-1]

    async def client(self, peer: Credentials = ROOT, rights: Iterable[Right] = Right) -> Client:
        """A new client with the certificate of a front end that has these rights; the same one each time."""
        client = self.connect(peer)
        await client.secure(self.paired(peer, rights))
        return client

    async def unpaired(self, peer: Credentials = MEMBER) -> Client:
        """A new client without a certificate."""
        client = self.connect(peer)
        await client.secure()
        return client

    def meter(self, peer: Credentials) -> Meter:
        """What the server counts for a user who isn't root."""
        meter = self.server._limits.meter_of(peer.uid, time.monotonic())
        assert meter is not None
        return meter

    def paired(self, peer: Credentials, rights: Iterable[Right] = Right) -> Shown:
        """What such a front end shows; paired when first asked for."""
        key = (peer.uid, frozenset(rights))
        if key not in self._paired:
            self._paired[key] = self.pair(peer, tuple(right for right in Right if right in key[1]))
        return self._paired[key]

    def pair(
        self, peer: Credentials, rights: tuple[Right, ...], *, device: str = "", issued: float | None = None
    ) -> Shown:
        """Pair another front end, its certificate issued just now or at that time."""
        at = time.time() if issued is None else issued
        device = device or secrets.token_hex(8)
        private = new_key()
        made = self.gatekeeper.authority.issue(request_for(private), device, at)
        entry = Entry(
            id=device,
            name="test",
            uid=peer.uid,
            user=self.users.name(peer.uid),
            program="",
            rights=rights,
            created=at,
            serial=made.serial,
            expires=made.not_after,
        )
        self.gatekeeper.book.change_now(lambda registry: registry.add(entry, at))
        return Shown(private, made.certificate)


@contextlib.asynccontextmanager
async def world(limit: int = 256, caps: Caps | None = None, timing: Timing | None = None) -> AsyncIterator[World]:
    """A running server. Cancelled in the end, as the helper does."""
    with tempfile.TemporaryDirectory(prefix="slopn-test-") as state:
        made = World(Path(state), limit, caps, timing)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(made.server.run())
            judging = tasks.create_task(made.gatekeeper.run())
            try:
                yield made
            finally:
                serving.cancel()
                for client in made.clients:
                    client.close()
                # A thread may be writing still, into a directory that is about to go.
                await made.gatekeeper.book.settle()
                judging.cancel()


class _Posing:
    """`Peers` that say what they were told."""

    def __init__(self, peer: Credentials) -> None:
        self._peer = peer

    def connected(self, _end: socket.socket) -> Credentials:
        return self._peer

    async def secured(self, _end: socket.socket, peer: Credentials) -> Credentials:
        return peer
