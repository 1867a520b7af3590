from __future__ import annotations

import asyncio
from collections.abc import Sequence

from model.psk_world import Chance, ToyKem, private, public
from slopn_helper.engine import AnswerUnused, EngineDown, EngineError, HandshakeDone, HandshakeStale
from slopn_helper.psk.client import AGAIN, Client
from slopn_helper.psk.ends import End
from slopn_helper.psk.gateway import Gateway
from slopn_helper.psk.schedule import Pair
from support.until import until_async


class Stage:
    """Two ends that hand their datagrams over at once, and what they did."""

    def __init__(self, *, demanded: bool = False) -> None:
        self.now = 100.0
        self.done: list[str] = []
        self.refuse = False
        self.post: list[tuple[str, bytes]] = []
        self.client = self._end("client", "gateway", demanded=demanded)
        self.gateway = self._end("gateway", "client", demanded=demanded)

    def _end(self, own: str, other: str, *, demanded: bool) -> End:
        pair = Pair(private(own), public(other), client=own == "client")
        side = (Client if own == "client" else Gateway)(
            pair, None, Chance(own.encode()), demanded=demanded, kem=ToyKem()
        )

        async def gate(is_open: bool) -> None:
            self.done.append(f"{own} gate {is_open}")

        return End(
            side, Keys(self, own), public(other), lambda data: self.post.append((other, data)), gate,
            clock=lambda: self.now,
        )  # fmt: skip

    async def deliver(self) -> None:
        """Until nothing is on the way."""
        while self.post:
            to, data = self.post.pop(0)
            await (self.client if to == "client" else self.gateway).datagram(data)

    async def handshake(self, label: int) -> None:
        """Under the key of that name; names are alike on both sides here."""
        await self.client.event(HandshakeDone(public("gateway"), 0.01, label))
        await self.gateway.event(HandshakeDone(public("client"), None, label))


class Keys:
    """Stands for the engine."""

    def __init__(self, stage: Stage, own: str) -> None:
        self._stage, self._own = stage, own

    async def set_preshared_keys(
        self, public_key: bytes, keys: Sequence[tuple[int, bytes | None]], *, initiate: bool = False
    ) -> None:
        """Note it, or refuse."""
        if self._stage.refuse:
            raise EngineError("no device")
        assert public_key != public(self._own)
        self._stage.done.append(f"{self._own} {[label for label, _ in keys]}{' asks' if initiate else ''}")


def test_an_exchange_is_carried_out_in_its_order() -> None:
    """Keys first, then the datagram that says so; the gates open last."""

    async def run() -> None:
        stage = Stage(demanded=True)
        await stage.handshake(0)
        await stage.deliver()
        await stage.handshake(1)
        assert stage.done == [
            "client [0, 1]",
            "gateway [1, 0]",
            "client [1, 0] asks",
            "client [1]",
            "client gate True",
            "gateway [1]",
            "gateway gate True",
        ]
        stage.done.clear()
        await stage.client.event(HandshakeStale(public("gateway")))
        await stage.gateway.event(AnswerUnused(public("client"), 2))
        assert stage.done == ["client gate False", "client [1, 0] asks", "gateway gate False", "gateway [0, 1]"]
        assert not stage.client.status.protected

    asyncio.run(run())


def test_other_peers_are_not_ours() -> None:
    """Their events change nothing."""

    async def run() -> None:
        stage = Stage()
        await stage.client.event(HandshakeDone(public("mallory"), None, 0))
        await stage.client.event(HandshakeStale(public("mallory")))
        await stage.gateway.event(AnswerUnused(public("mallory"), 9))
        assert not stage.post
        assert not stage.done

    asyncio.run(run())


def test_a_key_that_the_engine_refuses_is_not_confirmed() -> None:
    """The gateway must not take what our engine doesn't know. When the engine is gone, all begins anew."""

    async def run() -> None:
        stage = Stage()
        await stage.handshake(0)
        stage.refuse = True
        await stage.deliver()
        assert stage.done == []
        assert stage.post == []
        await stage.client.event(EngineDown("gone"))
        stage.refuse = False
        stage.now += 60
        await stage.handshake(0)
        await stage.deliver()
        assert stage.done[0] == "client [0, 2]"

    asyncio.run(run())


def test_the_clock_is_followed() -> None:
    """What isn't answered is sent again when its time has come."""

    async def run() -> None:
        stage = Stage()
        work = asyncio.create_task(stage.client.run())
        await asyncio.sleep(0)
        stage.now += AGAIN[0]
        # Its deadline passes at once for a clock that has run ahead.
        begun = asyncio.create_task(stage.client.event(HandshakeDone(public("gateway"), None, 0)))
        await begun
        stage.now += AGAIN[0]
        await until_async(lambda: len(stage.post) >= 2, 10, "it is sent again")
        assert stage.post[0] == stage.post[1]
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(run())
