"""Other VPNs come into the health list and go from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from slopn_helper import others
from slopn_helper.host.facts import Filters, Link, Route, Rule
from slopn_helper.others import Others
from slopn_wire.commands import Disconnect
from support.aio import in_loop
from support.daemon import Helper, running
from support.until import until_async


class Host:
    """A host on which a test puts another VPN."""

    def __init__(self) -> None:
        self.there = False
        self.broken = False
        self.failed = 0
        self.changed = asyncio.Event()

    async def links(self) -> tuple[Link, ...]:
        """See `HostFacts`."""
        if self.broken:
            self.failed += 1
            raise OSError("no netlink")
        return (Link("wgq", 1420, usable=True),)

    async def routes(self) -> tuple[Route, ...]:
        """See `HostFacts`."""
        return (Route(51821, "0.0.0.0/0", device="wgq"),) if self.there else ()

    async def rules(self) -> tuple[Rule, ...]:
        """See `HostFacts`."""
        return (Rule(4, 32763, 51821, fwmark=51821, inverted=True),) if self.there else ()

    async def filters(self) -> Filters:
        """See `HostFacts`."""
        return Filters("")

    async def changes(self) -> AsyncIterator[str]:
        """Words, when the test says so."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            yield "changed"

    def put(self, *, there: bool) -> None:
        """The other VPN comes or goes, and the kernel says so."""
        self.there = there
        self.changed.set()


@asynccontextmanager
async def beside(directory: Path) -> AsyncIterator[tuple[Helper, Host]]:
    """A helper, and its look at `Host`."""
    async with running(directory) as helper:
        host = Host()
        task = asyncio.create_task(Others(helper.hub, host, host.changes, "slopn0").run())
        yield helper, host
        task.cancel()


def told(helper: Helper) -> str:
    """What the health list says of other VPNs."""
    return "".join(one.text for one in helper.hub.snapshot().health if one.code == "other_vpn")


@in_loop
async def test_one_that_comes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a word of the kernel, with its trace; and no more once it is gone."""
    monkeypatch.setattr(others, "SETTLED", 0.0)
    async with beside(tmp_path) as (helper, host):
        await helper.connect()
        host.put(there=True)
        await until_async(lambda: "wg-quick (IPv4 rule 32763 to table 51821" in told(helper), 10, "told")
        host.put(there=False)
        await until_async(lambda: not told(helper), 10, "told no more")


@in_loop
async def test_nobody_is_named_without_a_wish_for_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is disconnected may use what they like; a word isn't needed for what comes into the way."""
    monkeypatch.setattr(others, "EVERY", 0.01)
    monkeypatch.setattr(others, "WAITING_EVERY", 0.01)
    async with beside(tmp_path) as (helper, host):
        host.there = True
        await helper.connect()
        await until_async(lambda: "wg-quick" in told(helper), 10, "told")
        await helper.ask(Disconnect())
        await until_async(lambda: not told(helper), 10, "told no more")


@in_loop
async def test_a_look_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found before still holds, and the next look is taken."""
    monkeypatch.setattr(others, "EVERY", 0.01)
    monkeypatch.setattr(others, "WAITING_EVERY", 0.01)
    async with beside(tmp_path) as (helper, host):
        host.there = True
        await helper.connect()
        await until_async(lambda: "wg-quick" in told(helper), 10, "told")
        host.there, host.broken = False, True
        await until_async(lambda: host.failed > 1, 10, "it looks again")
        assert told(helper)
        host.broken = False
        await until_async(lambda: not told(helper), 10, "told no more")
