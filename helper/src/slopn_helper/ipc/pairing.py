"""Becoming a paired front end, pure: who is paired in silence, and the numbers that everybody else must repeat.

Time and chance are passed in. A number has six digits and holds for two minutes. A user has three tries, over all
pairings: to let one run out and begin another gives no new ones. Each time that they are used up, the user must wait,
twice as long each time: to guess a number takes years.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from msgspec import Struct

from slopn_helper.principal import Principal
from slopn_wire.devices import PendingPairing, Right, ShownPairing
from slopn_wire.events import ErrorKind, Refused

VALID = 120.0
"""Seconds that a number holds."""
TRIES = 3
"""Wrong numbers that a user may try, whatever they are for; with the last one, all of the user's pairings end."""
MAX_PENDING = 4
"""Pairings of one user that may wait at a time."""
FIRST_WAIT = 30.0
"""Seconds that a user must wait once a pairing's tries are used up."""
LONGEST_WAIT = 3600.0
"""Seconds; the wait doubles up to this. A day without a failure and it begins anew."""
MAX_USERS = 256
"""Users whose failures are remembered; far more than any computer has at its keyboards."""

_FORGET = 24 * 3600.0
_MAX_PROGRAM = 256


class Moment(NamedTuple):
    """Now, by both clocks."""

    unix: float
    """For people; it may be set, and so decides nothing."""
    steady: float
    """Seconds of a clock that nobody sets."""


class Manner(Enum):
    """How somebody is paired."""

    SILENT = auto()
    NUMBER = auto()
    REFUSED = auto()


def manner(who: Principal, *, ours: bool, revoked: bool) -> Manner:
    """How `who` is paired. `ours`: it runs a front end as installed; `revoked`: its pairing was ended on purpose.

    Root is always paired in silence: it could read the number anyway.
    """
    if who.basis is None:
        return Manner.REFUSED
    return Manner.SILENT if who.uid == 0 or (ours and not revoked) else Manner.NUMBER


class Asker(NamedTuple):
    """Who wants to be paired, as the system says, and what it calls itself."""

    uid: int
    user: str
    program: str
    """Path of its executable; empty if the system doesn't say."""
    name: str
    rights: tuple[Right, ...]


class Confirmed(NamedTuple):
    """The number was right."""

    asker: Asker
    request: str


class Chance(NamedTuple):
    """Where unguessable things come from; the system's generator, but in tests."""

    identifier: Callable[[], str]
    number: Callable[[], int]
    """From 0 to 999999, each as likely."""


class _Pending(Struct):
    shown: ShownPairing
    asker: Asker
    request: str
    ends: float


class _Failures(Struct):
    last: float
    count: int = 0
    """How often all tries were used up."""
    tries: int = TRIES
    """That are left now."""
    until: float = -math.inf
    """No pairing begins before."""


class Pairings:
    """All that wait for their number."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._pending: dict[str, _Pending] = {}
        self._failures: dict[int, _Failures] = {}
        """Of users whose last number was a wrong one, the latest last."""

    def waiting(self) -> tuple[PendingPairing, ...]:
        """For everybody to see: without the numbers, oldest first."""
        return tuple(each.shown.pairing for each in self._pending.values())

    def shown_to(self, uid: int) -> tuple[ShownPairing, ...]:
        """With the numbers: a user's own, and root's are all."""
        return tuple(each.shown for each in self._pending.values() if uid in {0, each.asker.uid})

    def begin(self, asker: Asker, request: str, at: Moment) -> ShownPairing | Refused:
        """Make a number that `asker` must repeat."""
        self.expire(at.steady)
        wait = self._wait(asker.uid, at.steady)
        if wait > 0:
            return _too_often(wait)
        if sum(each.asker.uid == asker.uid for each in self._pending.values()) >= MAX_PENDING:
            return Refused(
                ErrorKind.LIMITED,
                f"{MAX_PENDING} programs of yours wait to be paired already. Confirm them, or wait two minutes.",
            )
        pairing = PendingPairing(
            id=self._chance.identifier(),
            name=asker.name,
            user=asker.user,
            uid=asker.uid,
            program=printable(asker.program),
            rights=asker.rights,
            expires=at.unix + VALID,
        )
        shown = ShownPairing(pairing, f"{self._chance.number():06d}")
        self._pending[pairing.id] = _Pending(shown, asker, request, at.steady + VALID)
        return shown

    def confirm(self, uid: int, pairing: str, number: str, at: Moment) -> Confirmed | Refused:
        """Try `number`. A pairing ends with the right one, or with the last try."""
        self.expire(at.steady)
        pending = self._pending.get(pairing)
        if pending is None or pending.asker.uid != uid:
            return Refused(ErrorKind.INVALID, "No such pairing waits: its time is up, or its tries are. Pair again.")
        given = "".join(number.split())
        if hmac.compare_digest(given.encode("utf-8", "replace"), pending.shown.number.encode()):
            del self._pending[pairing]
            self._failures.pop(uid, None)
            return Confirmed(pending.asker, pending.request)
        return self._wrong(uid, at.steady)

    def expire(self, steady: float) -> None:
        """Forget what has run out."""
        self._pending = {key: each for key, each in self._pending.items() if steady < each.ends}

    def next_end(self) -> float | None:
        """When the next one runs out, by the steady clock; None: nobody waits."""
        return min((each.ends for each in self._pending.values()), default=None)

    def _wait(self, uid: int, steady: float) -> float:
        failures = self._failures.get(uid)
        return 0.0 if failures is None else failures.until - steady

    def _wrong(self, uid: int, steady: float) -> Refused:
        """Count a wrong number."""
        failures = self._failures.pop(uid, None)
        if failures is None or steady - failures.last > _FORGET:
            failures = _Failures(steady)
        while len(self._failures) >= MAX_USERS:
            del self._failures[next(iter(self._failures))]
        self._failures[uid] = failures
        failures.last = steady
        failures.tries -= 1
        if failures.tries > 0:
            tries = "1 try is" if failures.tries == 1 else f"{failures.tries} tries are"
            return Refused(ErrorKind.INVALID, f"That isn't the number: {tries} left.")
        wait = min(FIRST_WAIT * 2.0 ** min(failures.count, 16), LONGEST_WAIT)
        failures.count, failures.tries, failures.until = failures.count + 1, TRIES, steady + wait
        # All of the user's end: those that wait elsewhere are no way around the wait.
        self._pending = {key: each for key, each in self._pending.items() if each.asker.uid != uid}
        return _failed(wait)


def printable(path: str) -> str:
    """A path as it may stand before a person's eyes: its end, where it is long, and nothing that a terminal obeys."""
    clean = "".join(each if each.isprintable() else "?" for each in path)
    return clean if len(clean) <= _MAX_PROGRAM else f"…{clean[-_MAX_PROGRAM + 1 :]}"


def _too_often(wait: float) -> Refused:
    return Refused(ErrorKind.LIMITED, f"Too many wrong numbers: pair again in {_seconds(wait)}.")


def _failed(wait: float) -> Refused:
    return Refused(
        ErrorKind.INVALID, f"That isn't the number, and it was the last try. Pair again in {_seconds(wait)}."
    )


def _seconds(wait: float) -> str:
    return f"{int(wait) + 1} seconds" if wait < 120 else f"{int(wait / 60) + 1} minutes"
