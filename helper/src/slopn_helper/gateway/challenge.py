"""Challenges of the enrolment API, pure: given to everybody, remembered only once they come back.

A challenge is its time, some chance and a MAC by this process's own key: until somebody answers one, it costs no memory.
What came back is remembered until it would be too old anyway, so that nothing is answered twice. Time and chance are
passed in; the time is a clock that never jumps (`loop.time`), so that setting the machine's clock ends no enrolment.
"""

from __future__ import annotations

import hmac
import struct
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_wire.enrolment_api import Challenge

LIFETIME = 60.0
"""Seconds."""
MOST = 65_536
"""Challenges that are remembered as answered: more than a gateway on two cores enrols in `LIFETIME`."""
_HEAD = struct.Struct(">d16s")
_MAC = 16
LENGTH = _HEAD.size + _MAC


class Flaw(StrEnum):
    """Why a challenge isn't taken."""

    FOREIGN = "foreign"
    """Another process gave it, this gateway's before its restart perhaps, or somebody made it up."""
    OLD = "old"
    SPENT = "spent"
    FULL = "full"
    """So many were answered lately that no more can be remembered. It isn't spent."""


class Challenges:
    """Those of one process. `chance(n)` gives n random bytes; both keys are made of it and never leave the object."""

    def __init__(self, chance: Callable[[int], bytes], *, lifetime: float = LIFETIME, most: int = MOST) -> None:
        self._chance = chance
        self._lifetime = lifetime
        self._most = most
        self._secret = chance(32)
        self._spent: OrderedDict[bytes, float] = OrderedDict()
        self.key = X25519PrivateKey.from_private_bytes(chance(32))
        """What proofs are checked with."""
        self._public = self.key.public_key().public_bytes_raw()

    def give(self, now: float) -> Challenge:
        """A fresh one."""
        head = _HEAD.pack(now, self._chance(16))
        return Challenge(head + self._mac(head), self._public, self._lifetime)

    def spend(self, challenge: bytes, now: float) -> Flaw | None:
        """Take one back, once. None: it was good, and is none any more."""
        head, mac = challenge[: _HEAD.size], challenge[_HEAD.size :]
        if len(challenge) != LENGTH or not hmac.compare_digest(mac, self._mac(head)):
            return Flaw.FOREIGN
        if now - _HEAD.unpack(head)[0] >= self._lifetime:
            return Flaw.OLD
        self._forget(now)
        if mac in self._spent:
            return Flaw.SPENT
        if len(self._spent) >= self._most:
            return Flaw.FULL
        self._spent[mac] = now
        return None

    @property
    def remembered(self) -> int:
        """How many are remembered as answered."""
        return len(self._spent)

    def _forget(self, now: float) -> None:
        # By the time of the answer, which is in order: somewhat later than needed, and never too early.
        while self._spent and now - next(iter(self._spent.values())) >= self._lifetime:
            self._spent.popitem(last=False)

    def _mac(self, head: bytes) -> bytes:
        return hmac.digest(self._secret, head, "sha256")[:_MAC]
