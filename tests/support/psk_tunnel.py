"""The preshared key's two ends at work over a real tunnel, each with its engine in a namespace of its own."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Sequence
from typing import Self

from slopn_engine import Event
from slopn_helper.engine import AnswerUnused, EngineEvent, HandshakeDone, HandshakeStale
from slopn_helper.psk import PORT
from slopn_helper.psk.channel import Channel
from slopn_helper.psk.client import Client
from slopn_helper.psk.ends import End as Psk
from slopn_helper.psk.gateway import Gateway
from slopn_helper.psk.outputs import Status
from slopn_helper.psk.schedule import Pair
from slopn_helper.psk.sockets import open_socket
from support.enginepair import End


class Worker:
    """One end: machine, engine and socket. `close` ends it, as a crash would."""

    def __init__(self, interface: str, own: End, other: End, *, demanded: bool = False) -> None:
        self._interface, self._own, self._other = interface, own, other
        is_client = own.number != 0
        pair = Pair(base64.b64decode(own.keys.private), other.public, client=is_client)
        side = (Client if is_client else Gateway)(pair, None, os.urandom, demanded=demanded)
        self.gates: list[bool] = [side.gate]
        self._channel = Channel(lambda host, port: self.end if (host, port) == (other.inner4, PORT) else None)
        self.end = Psk(side, self, other.public, self._send, self._gate)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def status(self) -> Status:
        """The machine's."""
        return self.end.status

    async def open(self) -> None:
        """Begin."""
        with self._own.namespace.entered():
            endpoint = open_socket(self._interface, self._own.inner4)
        await self._channel.open(endpoint)
        self._tasks = [asyncio.create_task(work) for work in (self._channel.run(), self.end.run(), self._events())]

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._channel.close()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def set_preshared_keys(
        self, public_key: bytes, keys: Sequence[tuple[int, bytes | None]], *, initiate: bool = False
    ) -> None:
        """As `slopn_helper.engine.Rekeying`."""
        self._own.engine.set_preshared_keys(public_key, list(keys), initiate=initiate)

    async def _gate(self, is_open: bool) -> None:
        self.gates.append(is_open)

    def _send(self, datagram: bytes) -> None:
        self._channel.send(datagram, (self._other.inner4, PORT))

    async def _events(self) -> None:
        done = 0
        while True:
            # By way of `seen`: whoever waits for an event meanwhile must not take it from us.
            seen = self._own.events(Event)
            for event in seen[done:]:
                told = _told(event)
                if told is not None:
                    await self.end.event(told)
            done = len(seen)
            await asyncio.sleep(0.01)


def _told(event: Event) -> EngineEvent | None:
    match event:
        case Event.Handshake(public_key, rtt, preshared):
            return HandshakeDone(public_key, rtt, preshared)
        case Event.Stale(public_key, age):
            return HandshakeStale(public_key, age)
        case Event.Unused(public_key, answers):
            return AnswerUnused(public_key, answers)
        case _:
            return None
