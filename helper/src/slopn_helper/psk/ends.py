"""An end at work: datagrams, the engine's events and the clock come in, what it asks for is done in its order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from slopn_helper.engine import (
    AnswerUnused,
    EngineDown,
    EngineError,
    EngineEvent,
    HandshakeDone,
    HandshakeStale,
    Rekeying,
)
from slopn_helper.psk.client import Client
from slopn_helper.psk.gateway import Gateway
from slopn_helper.psk.outputs import Gate, Output, Send, SetKeys, Status

_log = logging.getLogger(__name__)


class End:
    """One end of one tunnel. Belongs to one event loop; calls are carried out one after the other."""

    def __init__(
        self,
        side: Client | Gateway,
        engine: Rekeying,
        peer: bytes,
        send: Callable[[bytes], None],
        gate: Callable[[bool], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`peer`: the other's public key. `send`: one datagram into the tunnel; it may be lost.

        `gate`: let the tunnel's traffic through or not; done when it returns. It is first called when something changes:
        begin with `side.gate`.
        """
        self._side = side
        self._engine = engine
        self._peer = peer
        self._send = send
        self._gate = gate
        self._clock = clock
        self._busy = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def status(self) -> Status:
        """For `status`; its times are the clock's."""
        return self._side.status

    async def datagram(self, data: bytes) -> None:
        """One came out of the tunnel from the other end's address."""
        async with self._busy:
            await self._do(self._side.received(data, self._clock()))

    async def event(self, event: EngineEvent) -> None:
        """The engine tells something; what is of another peer is passed over."""
        async with self._busy:
            match event, self._side:
                case HandshakeDone(public_key=self._peer, preshared=label), side:
                    await self._do(side.handshake(label, self._clock()))
                case HandshakeStale(public_key=self._peer), Client() as client:
                    await self._do(client.stale())
                case AnswerUnused(public_key=self._peer, answers=answers), Gateway() as gateway:
                    await self._do(gateway.unused(answers))
                case EngineDown(), side:
                    await self._do(side.restarted())
                case _:
                    pass

    async def run(self) -> None:
        """Do what is due by the clock, until cancelled. A gateway's end has nothing of that kind."""
        client = self._side
        if not isinstance(client, Client):
            return
        while True:
            self._changed.clear()
            deadline = client.deadline
            pause = None if deadline is None else max(0.0, deadline - self._clock())
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                async with self._busy:
                    await self._do(client.tick(self._clock()))

    async def _do(self, outputs: list[Output]) -> None:
        try:
            for output in outputs:
                match output:
                    case Send(datagram=datagram):
                        self._send(datagram)
                    case SetKeys(keys=keys, initiate=initiate):
                        await self._engine.set_preshared_keys(self._peer, keys, initiate=initiate)
                    case Gate(open=is_open):
                        await self._gate(is_open)
        except EngineError as error:
            # What follows would tell the other end that we have the key.
            _log.warning("preshared keys: the engine does not take them: %s", error)
        finally:
            self._changed.set()
