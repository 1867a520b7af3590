"""The bans of those who have no Fail2Ban: each refusal gets its line, is counted, and its ban is in force on return.

One object, one thread at a time: libnftables wants it so. A ban takes less than a millisecond of it; to read 20,000 back,
as `start` and `heal` do, about one second: a thread of its own is the place for it all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from slopn_helper.gateway.bans import BansError
from slopn_helper.gateway.bans.book import Book, Change, Put
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.gateway.bans.lines import LOGGER, Refusal, line
from slopn_helper.gateway.bans.ration import Ration, Share
from slopn_helper.gateway.bans.sources import shown, source_of
from slopn_wire.profile import IPNetwork

_refusals = logging.getLogger(LOGGER)
_log = logging.getLogger(__name__)


class BuiltInBans:
    """Book and kernel together. `clock`: Unix time. `enabled` False: lines alone, for those who have Fail2Ban."""

    def __init__(self, book: Book, edge: Edge, clock: Callable[[], float], *, enabled: bool = True) -> None:
        self._book = book
        self._edge = edge
        self._clock = clock
        self._enabled = enabled
        self._ration = Ration(Share())
        self._allowed: tuple[IPNetwork, ...] = ()

    def start(self, allowed: Iterable[IPNetwork]) -> None:
        """Let `allowed` in always, and take up the bans that an earlier run has left. Raises `BansError`."""
        now = self._clock()
        self._allowed = tuple(allowed)
        self._edge.ensure(self._allowed)
        self._book.allow(self._allowed, now)
        held = self._edge.read(now)
        self._edge.apply(self._book.adopt(() if held is None else held.bans, now), now)

    def refused(self, refusal: Refusal) -> None:
        """Somebody was refused: write its line, count it, and ban whom it was once too often. Never raises."""
        now = self._clock()
        more = self._ration.take(source_of(refusal.address), now)
        if more is not None:
            _refusals.warning("%s", line(refusal, more))
        if self._enabled and refusal.proven:
            self._carry_out(self._book.failed(refusal.address, refusal.why, now), now)

    def heal(self, allowed: Iterable[IPNetwork]) -> None:
        """Now and then: the allow list as it is now, what others have lifted, and all bans again if the table is gone.

        Raises `BansError`.
        """
        now = self._clock()
        changed = tuple(allowed) != self._allowed
        self._allowed = tuple(allowed)
        self._book.allow(self._allowed, now)
        held = self._edge.read(now)
        if held is None or changed:
            self._edge.ensure(self._allowed)
        if held is None:
            self._edge.apply([Put(ban) for ban in self._book.bans(now)], now)
        else:
            self._edge.apply(self._book.adopt(held.bans, now), now)

    def _carry_out(self, changes: list[Change], now: float) -> None:
        if not changes:
            return
        try:
            self._edge.apply(changes, now)
        except BansError as error:
            # What gets through is counted anew and tried again.
            _log.error("%s", error)
            return
        for change in changes:
            if isinstance(change, Put):
                ban = change.ban
                length = "for ever" if ban.until is None else f"for {ban.until - ban.since:.0f} s"
                _log.warning(
                    "banned %s %s: %s failures, the last: %s", shown(ban.source), length, ban.failures, ban.why
                )
