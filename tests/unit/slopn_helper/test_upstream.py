"""The host's resolvers are looked at again while a name is asked for, and at no other time."""

from __future__ import annotations

import asyncio
from functools import partial
from ipaddress import ip_address

import pytest

from slopn_helper import upstream as module
from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.hub import Hub
from slopn_helper.tunnel.driver import Position
from slopn_helper.upstream import Resolvers, Upstream
from slopn_wire.events import Live
from slopn_wire.state import Connecting, ErrorCause, Step, TunnelState
from support.aio import in_loop
from support.until import until_async

FIRST, SECOND = (ip_address("192.0.2.53"),), (ip_address("192.0.2.54"),)


class Bench:
    """A host whose resolvers the test changes."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.there: Resolvers = FIRST
        self.held: Resolvers = FIRST
        self.reads = self.told = 0
        self.upstream = Upstream(self.hub, self._read, self._exchange)

    def at(self, state: TunnelState) -> None:
        """The tunnel is there."""
        self.hub.set_position(Position(state, Blocked(), Blocked()), Live(), ())
        self.upstream.moved()

    def tell(self) -> None:
        """Others are to be asked."""
        self.told += 1

    def has_told(self, times: int) -> bool:
        """That often at least."""
        return self.told >= times

    def has_read(self, times: int) -> bool:
        """That often at least."""
        return self.reads >= times

    async def _read(self) -> Resolvers:
        self.reads += 1
        return self.there

    def _exchange(self, found: Resolvers) -> Resolvers:
        before, self.held = self.held, found
        return before


@in_loop
async def test_others_are_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the name is asked for, and while it was asked for in vain."""
    monkeypatch.setattr(module, "EVERY", 0.01)
    bench = Bench()
    watch = asyncio.ensure_future(bench.upstream.watch(bench.tell))
    for state in (Connecting("a"), Connecting("a", 1, Step.WAITING, cause=ErrorCause.RESOLVE)):
        bench.there, told = (SECOND if bench.there == FIRST else FIRST), bench.told
        bench.at(state)
        await until_async(partial(bench.has_told, told + 1), 10, "told")
        await until_async(partial(bench.has_read, bench.reads + 3), 10, "looked again")
        assert (bench.told, bench.held) == (told + 1, bench.there)
    watch.cancel()


@in_loop
async def test_nobody_looks_while_no_name_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake needs no resolver."""
    monkeypatch.setattr(module, "EVERY", 0.0)
    bench = Bench()
    watch = asyncio.ensure_future(bench.upstream.watch(bench.tell))
    bench.at(Connecting("a"))
    await until_async(partial(bench.has_read, 3), 10, "looked")
    bench.at(Connecting("a", step=Step.HANDSHAKE))
    reads = bench.reads
    for _ in range(50):
        await asyncio.sleep(0)
    assert bench.reads <= reads + 1, "one look may have been on its way"
    watch.cancel()
