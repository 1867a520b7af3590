"""What network the host is on, by the kernel's own notifications (rtnetlink(7)).

Notifications only say that something changed; the state is then read anew as a whole, so that a lost one (ENOBUFS)
costs nothing but a look. What the kernel doesn't say is told by `hints`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import time
from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec
from pyroute2.netlink.exceptions import NetlinkError

from slopn_helper.host import rtevents, rtnl
from slopn_helper.host.netmon import NetworkState, hints, nl80211
from slopn_helper.host.netmon.debounce import Debounce
from slopn_helper.host.netmon.state import WakeUps, best_default, without_link_local
from slopn_helper.host.routes.plan import MAIN_TABLE, PROTOCOL
from slopn_helper.host.rtnl import RouteRow, Rtnetlink

log = logging.getLogger(__name__)

TICK = 3.0
"""Seconds between two looks at the clocks: where no logind tells of it, waking up sends no notification."""

_GROUPS = (
    rtevents.LINK
    | rtevents.NEIGH
    | rtevents.IPV4_ADDRESS
    | rtevents.IPV4_ROUTE
    | rtevents.IPV6_ADDRESS
    | rtevents.IPV6_ROUTE
)
_ROUTE, _LINK, _ADDRESS, _NEIGHBOUR = {24, 25}, {16, 17}, {20, 21}, {28, 29}


class _LookAgain(Protocol):
    def __call__(self, *, decisive: bool = False) -> None: ...


class NetlinkMonitor:
    """A `NetworkMonitor` for Linux; `own_interface` and our own routes never count."""

    def __init__(self, own_interface: str) -> None:
        self._own = own_interface
        self._state = NetworkState(None)
        self._gateway_mac: tuple[object, str] | None = None
        self._device: int | None = None
        self._metered = False

    def current(self) -> NetworkState:
        """The state as last seen by whoever iterates over `changes`; offline before that."""
        return self._state

    async def changes(self) -> AsyncGenerator[NetworkState, None]:
        """The state at the start, then after each change. Ends only when its task is cancelled."""
        loop = asyncio.get_running_loop()
        debounce = Debounce()
        wakeups = WakeUps(*_clocks())
        happened = asyncio.Event()

        def look_again(*, decisive: bool = False) -> None:
            debounce.event(loop.time(), decisive=decisive)
            happened.set()

        with rtevents.notifications(_GROUPS) as sock:
            loop.add_reader(sock, self._drain, sock, look_again)
            hearing = [
                loop.create_task(self._hear_of_sleep(wakeups, look_again)),
                loop.create_task(self._hear_of_money(look_again)),
            ]
            try:
                debounce.event(loop.time())
                seen: NetworkState | None = None
                while True:
                    if wakeups.look(*_clocks(), time.time()):
                        debounce.event(loop.time())
                    if debounce.take(loop.time()):
                        state = await self._look(debounce, wakeups)
                        if state is not None and state != seen:
                            seen = self._state = state
                            yield state
                    due = debounce.due()
                    pause = TICK if due is None else min(TICK, due - loop.time())
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await happened.wait()
                    happened.clear()
                    for task in hearing:
                        if task.done():
                            task.result()
            finally:
                loop.remove_reader(sock)
                for task in hearing:
                    task.cancel()
                await asyncio.gather(*hearing, return_exceptions=True)

    async def links(self) -> AsyncGenerator[None, None]:
        """See `NetworkMonitor.links`: a device that was plugged in must be guarded before it carries its first packet."""
        loop = asyncio.get_running_loop()
        happened = asyncio.Event()
        with rtevents.notifications(rtevents.LINK) as sock:
            loop.add_reader(sock, happened.set)
            try:
                yield
                while True:
                    await happened.wait()
                    happened.clear()
                    if [message for message in rtevents.received(sock) if message is None or message[0] in _LINK]:
                        yield
            finally:
                loop.remove_reader(sock)

    async def _hear_of_sleep(self, wakeups: WakeUps, look_again: _LookAgain) -> None:
        async for _ in hints.wake_ups():
            if wakeups.told(*_clocks(), time.time()):
                look_again()

    async def _hear_of_money(self, look_again: _LookAgain) -> None:
        async for metered in hints.metered():
            if metered != self._metered:
                self._metered = metered
                look_again()

    def _drain(self, sock: socket.socket, look_again: _LookAgain) -> None:
        """Read all notifications that wait; a reader of its own loses none when a time-out cancels a wait."""
        heard = [message for message in rtevents.received(sock) if message is None or self._concerns_us(message)]
        if heard:
            look_again(decisive=any(message is None or message[0] in _ROUTE for message in heard))

    def _concerns_us(self, message: tuple[int, bytes]) -> bool:
        kind, body = message
        if kind in _ROUTE:
            # rtmsg: family, lengths of destination and source, tos, table, protocol. Only a default route leads out;
            # each new address brings the kernel's own routes along, those of the tunnel too.
            return len(body) > 5 and body[1] == 0 and body[4] == MAIN_TABLE and body[5] != PROTOCOL
        if kind in _LINK or kind in _ADDRESS or kind in _NEIGHBOUR:
            if len(body) < 8:
                return False
            (index,) = struct.unpack_from("=i", body, 4)
            # Neighbours come and go all the time; only the one that is our gateway is looked at.
            return bool(index == self._device) if kind in _NEIGHBOUR else index != rtnl.link_index(self._own)
        return False

    async def _look(self, debounce: Debounce, wakeups: WakeUps) -> NetworkState | None:
        try:
            async with rtnl.rtnetlink() as ipr:
                state = await self._read(ipr)
        except (NetlinkError, OSError) as error:
            # A dump that was interrupted by a change, or a device that went away meanwhile: the next look is due soon.
            log.info("netmon: the state can't be read, trying again: %s", error)
            debounce.event(asyncio.get_running_loop().time())
            return None
        return msgspec.structs.replace(state, resumed_at=wakeups.last)

    async def _read(self, ipr: Rtnetlink) -> NetworkState:
        links = await rtnl.links(ipr)
        routes = await rtnl.routes(ipr, MAIN_TABLE)
        by_version = {
            version: best_default((r for r in routes if r.destination.version == version), links, self._own)
            for version in (4, 6)
        }
        best = by_version[4] or by_version[6]
        if best is None or best.device is None:
            self._device = None
            return NetworkState(None)
        self._device = best.device
        link = next(link for link in links if link.number == best.device)
        gateways = {version: route.gateway if route else None for version, route in by_version.items()}
        return NetworkState(
            link.name,
            gateways[4],
            gateways[6],
            without_link_local(await rtnl.addresses(ipr, link.number, settled=True)),
            await self._mac(ipr, best),
            nl80211.ssid(link.number) if nl80211.is_wireless(link.name) else None,
            mtu=link.mtu,
            metered=self._metered,
        )

    async def _mac(self, ipr: Rtnetlink, route: RouteRow) -> str | None:
        """The gateway's MAC; one that was heard once is kept while the neighbour table has forgotten it."""
        if route.gateway is None or route.device is None:
            return None
        where = (route.device, route.gateway)
        found = await rtnl.link_layer_address(ipr, route.device, route.gateway)
        if found is not None:
            self._gateway_mac = where, found
        elif self._gateway_mac is not None and self._gateway_mac[0] == where:
            found = self._gateway_mac[1]
        return found


def _clocks() -> tuple[float, float]:
    return time.clock_gettime(time.CLOCK_BOOTTIME), time.clock_gettime(time.CLOCK_MONOTONIC)
