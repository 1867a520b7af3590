"""The built-in bans in a thread of their own: whoever refuses somebody hands it in and goes on."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable

from slopn_helper.gateway.bans import BansError
from slopn_helper.gateway.bans.book import Book, Terms
from slopn_helper.gateway.bans.builtin import BuiltInBans
from slopn_helper.gateway.bans.edge import Edge, Nft
from slopn_helper.gateway.bans.lines import Refusal
from slopn_helper.host.firewall import FirewallError
from slopn_helper.host.routes import RouteError
from slopn_wire.profile import IPNetwork

WAITING = 4096
"""Refusals that wait; more are counted and dropped. A flood of them is of few sources, which are banned soon."""
HEAL_EVERY = 10.0
"""Seconds between two looks at the kernel's bans and at who is allowed."""

_log = logging.getLogger(__name__)


class Desk:
    """Takes refusals from any thread. `open_nft` and `allowed` are called in the desk's own thread."""

    def __init__(
        self,
        open_nft: Callable[[], Nft],
        allowed: Callable[[], Iterable[IPNetwork]],
        clock: Callable[[], float],
        *,
        enabled: bool,
        heal_every: float = HEAL_EVERY,
    ) -> None:
        """`enabled` False: log lines alone, for those who have Fail2Ban."""
        self.trouble: str | None = None
        """Why bans aren't in force; None: they are, or aren't wanted."""
        self.in_force = 0
        """Bans of ours, as of the last look or refusal."""
        self.dropped = 0
        """Refusals that found the queue full."""
        self._open_nft = open_nft
        self._allowed = allowed
        self._clock = clock
        self._enabled = enabled
        self._heal_every = heal_every
        self._queue: queue.Queue[Refusal | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="bans", daemon=True)
        self._book = Book(Terms())
        self._bans: BuiltInBans | None = None

    def start(self) -> None:
        """Take up what an earlier run has left, and begin."""
        self._thread.start()

    def refused(self, refusal: Refusal) -> None:
        """Hand one in; returns at once."""
        try:
            self._queue.put_nowait(refusal)
        except queue.Full:
            self.dropped += 1

    def close(self, within: float = 5.0) -> None:
        """Do what waits and end; the kernel's bans stay in force. Nothing if it was never started."""
        if not self._thread.is_alive():
            return
        try:
            self._queue.put(None, timeout=within)
        except queue.Full:
            return
        self._thread.join(within)

    def _run(self) -> None:
        self._heal()
        due = self._clock() + self._heal_every
        while True:
            try:
                refusal = self._queue.get(timeout=max(0.0, min(self._heal_every, due - self._clock())))
                if refusal is None:
                    return
                self._take(refusal)
            except queue.Empty:
                pass
            if not 0.0 < due - self._clock() <= self._heal_every:
                self._heal()
                due = self._clock() + self._heal_every

    def _take(self, refusal: Refusal) -> None:
        if self._bans is None:
            self._heal()
        if self._bans is not None:
            try:
                self._bans.refused(refusal)
            except Exception:  # noqa: BLE001 - see `_heal`
                _log.exception("a refusal couldn't be noted")
            self.in_force = len(self._book)

    def _heal(self) -> None:
        try:
            if self._bans is None:
                bans = BuiltInBans(self._book, Edge(self._open_nft()), self._clock, enabled=self._enabled)
                if self._enabled:
                    bans.start(self._allowed())
                self._bans = bans
            elif self._enabled:
                self._bans.heal(self._allowed())
        except Exception as error:  # noqa: BLE001 - with this thread all bans would end, and nobody would be told
            why = str(error) or type(error).__name__
            if why != self.trouble:
                expected = isinstance(error, BansError | FirewallError | RouteError | OSError)
                _log.error("bans aren't in force: %s", why, exc_info=not expected)
            self.trouble = why
        else:
            self.trouble = None
        self.in_force = len(self._book)
