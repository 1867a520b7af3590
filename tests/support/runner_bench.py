"""The runner on fakes, for tests of what effects become."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from slopn_helper.addresses import LastGood
from slopn_helper.dataplane import Dataplane
from slopn_helper.gateways import Gateways
from slopn_helper.runner import FWMARK, HostRunner
from slopn_helper.tunnel.effects import (
    Effect,
)
from support.fakes import HOME, FakeBook, FakeDns, FakeEngine, FakeFirewall, FakeResolve, FakeRouter


class Bench:
    """A runner on fakes."""

    def __init__(self, *addresses: str, book: FakeBook | None = None) -> None:
        self.calls: list[str] = []
        self.book = book or FakeBook()
        self.firewall, self.router = FakeFirewall(self.calls), FakeRouter(self.calls)
        self.dns, self.engine = FakeDns(self.calls), FakeEngine(self.calls)
        self.dataplane = Dataplane(self.engine)
        self.left: list[str] = []
        self.resolve = FakeResolve(*addresses)
        self.last_good = LastGood(Path("/nowhere/addresses.json"))
        self.runner = HostRunner(
            self.book,
            firewall=self.firewall,
            router=self.router,
            dns=self.dns,
            dataplane=self.dataplane,
            restore=self._restore,
            gateways=Gateways(self.resolve, self.last_good, FWMARK),
        )
        self.runner.network = HOME

    async def _restore(self) -> list[str]:
        self.calls.append("restore")
        return self.left

    def run(self, effect: Effect) -> Any:
        """Carry `effect` out."""
        return asyncio.run(self.runner.run(effect))
