"""Remembers what keyed commands came to, so that a retry is answered and not carried out again.

A key belongs to one paired front end of one user: the same key from anybody else is another key. Nothing is remembered
for programs without a certificate, since the helper can't tell one from the other.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from slopn_helper.principal import Principal
from slopn_wire.codec import encode
from slopn_wire.commands import Request
from slopn_wire.events import ErrorKind, Refused, Result

MOST = 64
"""Outcomes remembered for one front end."""
OWNERS = 64
"""Front ends for which any are remembered."""
AGE = 600.0
"""Seconds for which an outcome is remembered."""

OTHER_COMMAND = Refused(
    ErrorKind.INVALID, "This request's key was another request's: choose a new one for each command."
)


class _Entry(NamedTuple):
    digest: bytes
    outcome: asyncio.Future[Result]
    at: float


class Ledger:
    """The outcomes of keyed commands, bounded in number and age. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._owners: OrderedDict[tuple[int, str], OrderedDict[str, _Entry]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def once(
        self, who: Principal, request: Request, carry_out: Callable[[], asyncio.Future[Result]]
    ) -> asyncio.Future[Result] | None:
        """What `request` comes to. `carry_out` is called if this is the first that is heard of it, else not.

        None when the key was another command's: `OTHER_COMMAND` is the answer to that. Whoever waits for the future shall shield it: a retry
        may be waiting for it as well.
        """
        if not request.key or who.device is None:
            return carry_out()
        now = self._clock()
        kept = self._kept((who.uid, who.device), now)
        # The digest: a command may carry a file and its keys, which nobody needs to remember here.
        digest = hashlib.sha256(encode(request.command)).digest()
        known = kept.get(request.key)
        if known is not None and not known.outcome.cancelled():
            return known.outcome if known.digest == digest else None
        outcome = carry_out()
        kept[request.key] = _Entry(digest, outcome, now)
        return outcome

    def _kept(self, owner: tuple[int, str], now: float) -> OrderedDict[str, _Entry]:
        kept = self._owners.setdefault(owner, OrderedDict())
        self._owners.move_to_end(owner)
        for key, entry in list(kept.items()):
            if entry.outcome.done() and (len(kept) >= MOST or now - entry.at > AGE):
                del kept[key]
        if len(self._owners) > OWNERS:
            for other, entries in list(self._owners.items()):
                if other != owner and all(entry.outcome.done() for entry in entries.values()):
                    del self._owners[other]
                    break
        return kept
