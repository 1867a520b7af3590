"""Preshared keys with all devices: one socket at each of the gateway's addresses inside, an end for each device that asks.

A device that never asks costs nothing but its place in the roster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from socket import socket

from slopn_helper.engine import AnswerUnused, EngineDown, EngineEvent, HandshakeDone, Rekeying
from slopn_helper.gateway.peers import Roster
from slopn_helper.gateway.types import DeviceKind
from slopn_helper.psk import PORT
from slopn_helper.psk.channel import Channel
from slopn_helper.psk.ends import End
from slopn_helper.psk.gateway import Gateway
from slopn_helper.psk.schedule import Pair


class Agreement:
    """The gateway's ends of all tunnels. `private`: its WireGuard key. `chance(n)` gives n random bytes."""

    def __init__(
        self, roster: Roster, engine: Rekeying, private: bytes, chance: Callable[[int], bytes], *, port: int = PORT
    ) -> None:
        self._roster = roster
        self._engine = engine
        self._private = private
        self._chance = chance
        self._port = port
        self._ends: dict[bytes, End] = {}
        self._reply: dict[bytes, tuple[Channel, str]] = {}
        self._channels: list[tuple[Channel, asyncio.Task[None]]] = []

    def __len__(self) -> int:
        """How many devices have asked."""
        return len(self._ends)

    def protected(self, key: bytes) -> bool:
        """Whether the last session with that peer has a preshared key of the protocol."""
        end = self._ends.get(key)
        return end is not None and end.status.protected

    async def open(self, sockets: Iterable[socket], tasks: asyncio.TaskGroup) -> None:
        """Take datagrams from these from now on, and from no others; each is bound to the tunnel's device."""
        await self.close()
        for endpoint in sockets:
            channel = self._channel()
            await channel.open(endpoint)
            self._channels.append((channel, tasks.create_task(channel.run())))

    async def close(self) -> None:
        """Take none any more. Idempotent."""
        for channel, task in self._channels:
            task.cancel()
            channel.close()
        await asyncio.gather(*(task for _, task in self._channels), return_exceptions=True)
        self._channels.clear()

    async def event(self, event: EngineEvent) -> None:
        """The engine tells something."""
        match event:
            case HandshakeDone(public_key=key) | AnswerUnused(public_key=key):
                if (end := self._ends.get(key)) is not None:
                    await end.event(event)
            case EngineDown():
                # The next one knows the configured keys alone, as ends do that are new.
                self._ends.clear()
                self._reply.clear()
            case _:
                pass

    def prune(self) -> None:
        """Forget the ends of peers that are no more."""
        for key in [key for key in self._ends if self._roster.of_key(key) is None]:
            del self._ends[key]
            self._reply.pop(key, None)

    def _channel(self) -> Channel:
        def find(host: str, port: int) -> End | None:
            return self._end(channel, host, port)

        channel = Channel(find)
        return channel

    def _end(self, channel: Channel, host: str, port: int) -> End | None:
        found = self._roster.of_address(ip_address(host))
        if port != self._port or found is None or found.device.kind is not DeviceKind.SLOPN:
            return None
        # The engine has let it in by this very key: no other peer has that address.
        key = self._roster.owner(found.device)
        self._reply[key] = (channel, host)
        end = self._ends.get(key)
        if end is None:
            try:
                pair = Pair(self._private, key, client=False)
            except ValueError:
                return None
            end = End(Gateway(pair, None, self._chance), self._engine, key, lambda data: self._send(key, data), _open)
            self._ends[key] = end
        return end

    def _send(self, key: bytes, data: bytes) -> None:
        if (reply := self._reply.get(key)) is not None:
            channel, host = reply
            channel.send(data, (host, self._port))


async def _open(is_open: bool) -> None:  # noqa: FBT001 - the ends' own form
    """This gateway demands no key of the protocol: a device may."""
    del is_open
