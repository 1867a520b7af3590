"""Becoming a paired front end, pure: who is paired in silence, and the numbers that everybody else must repeat.

Time and chance are passed in. A number has six digits, holds for two minutes and three tries; each time that a user's
tries are used up, that user must wait, twice as long each time: to guess a number takes years.
"""

from __future__ import annotations

import hmac
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
"""Numbers that may be tried for one pairing."""
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
    tries: int = TRIES


class _Failures(Struct):
    count: int
    last: float
    until: float


class Pairings:
    """All that wait for their number."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._pending: dict[str, _Pending] = {}
        self._failures: dict[int, _Failures] = {}

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
        pending.tries -= 1
        if pending.tries > 0:
            tries = "1 try is" if pending.tries == 1 else f"{pending.tries} tries are"
            return Refused(ErrorKind.INVALID, f"That isn't the number: {tries} left.")
        return _failed(self._fail(uid, at.steady))

    def expire(self, steady: float) -> None:
        """Forget what has run out."""
        self._pending = {key: each for key, each in self._pending.items() if steady < each.ends}

    def next_end(self) -> float | None:
        """When the next one runs out, by the steady clock; None: nobody waits."""
        return min((each.ends for each in self._pending.values()), default=None)

    def _wait(self, uid: int, steady: float) -> float:
        failures = self._failures.get(uid)
        return 0.0 if failures is None else failures.until - steady

    def _fail(self, uid: int, steady: float) -> float:
        """Count a failure; returns how long to wait now."""
        before = self._failures.pop(uid, None)
        count = 1 if before is None or steady - before.last > _FORGET else before.count + 1
        wait = min(FIRST_WAIT * 2.0 ** min(count - 1, 16), LONGEST_WAIT)
        while len(self._failures) >= MAX_USERS:
            del self._failures[next(iter(self._failures))]
        self._failures[uid] = _Failures(count, steady, steady + wait)
        # All of the user's end: those that wait elsewhere are no way around the wait.
        self._pending = {key: each for key, each in self._pending.items() if each.asker.uid != uid}
        return wait


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
