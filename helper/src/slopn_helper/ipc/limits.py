"""How much one user may ask of the helper, so that no user can take it away from the others. Pure: time is passed in.

What is kept about users is bounded: whoever has nothing open is forgotten when others need the room.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from msgspec import Struct

from slopn_helper.ipc.refusals import Why

_USERS = 256
_DEVICES = 32
_HALF_LIFE = 20.0  # seconds in which half of a user's refusals are forgiven
_FORGIVEN = 3.0  # refusals that cost no time: a person who mistypes, a certificate that ran out
_FIRST_DELAY = 0.1
_T = TypeVar("_T")


class Rate(NamedTuple):
    """So many at once, then so many a second."""

    burst: int
    per_second: float


class Caps(Struct, frozen=True):
    """All limits of a user, and those of all users but root together. Root has none."""

    connects: Rate = Rate(60, 20.0)
    connections: int = 32
    """At the same time, as all that is no rate."""
    all_connections: int = 128
    handshakes: int = 8
    """Connections that aren't done with TLS yet."""
    all_handshakes: int = 24
    commands: Rate = Rate(100, 50.0)
    """Of one front end."""
    lookups: Rate = Rate(20, 4.0)
    """Commands with large answers or much work, of one front end; they count as commands as well."""
    running: int = 8
    """Commands that are being carried out."""
    bytes_held: int = 2 << 20
    """Of requests that are incomplete, or being carried out."""
    refusals_waiting: int = 4
    """That are being delayed; more are not answered at all."""
    longest_delay: float = 5.0
    """Seconds."""
    lines: Rate = Rate(100, 5.0)
    """Lines in the log about refusals."""


class Bucket:
    """A token bucket: full at first, refilled with time."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._level = float(rate.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether there was one left; then there is one less."""
        self._level = min(self._rate.burst, self._level + max(0.0, now - self._at) * self._rate.per_second)
        self._at = now
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True


class Meter:
    """What one user has open, and did lately."""

    def __init__(self, caps: Caps, now: float) -> None:
        self._caps = caps
        self._connects = Bucket(caps.connects, now)
        self._lines = Bucket(caps.lines, now)
        self._commands: OrderedDict[str, Bucket] = OrderedDict()
        self._lookups: OrderedDict[str, Bucket] = OrderedDict()
        self._refusals = 0.0
        self._refused_at = now
        self.connections = 0
        self.handshakes = 0
        self.running = 0
        self.bytes_held = 0
        self.refusals_waiting = 0
        self.unlogged = 0
        """Refusals without a line of their own, since the last one that had one."""

    @property
    def idle(self) -> bool:
        """Nothing is open: this meter may be forgotten."""
        return not (self.connections or self.running or self.refusals_waiting)

    def connect(self, now: float) -> bool:
        """Whether another connection is in time."""
        return self._connects.take(now)

    def command(self, device: str | None, now: float, *, lookup: bool) -> bool:
        """Whether another command of this front end is in time."""
        name = device or ""
        commands = _recent(self._commands, name, lambda: Bucket(self._caps.commands, now))
        if not commands.take(now):
            return False
        return not lookup or _recent(self._lookups, name, lambda: Bucket(self._caps.lookups, now)).take(now)

    def delay(self, now: float) -> float:
        """Count a refusal. Returns the seconds that its answer shall wait: none at first, then ever more, up to a limit."""
        passed = max(0.0, now - self._refused_at)
        self._refusals = self._refusals * 0.5 ** (passed / _HALF_LIFE) + 1.0
        self._refused_at = now
        over = self._refusals - _FORGIVEN
        if over <= 0.0:
            return 0.0
        return min(_FIRST_DELAY * math.exp2(min(over, 30.0)), self._caps.longest_delay)

    def log(self, now: float) -> int | None:
        """How many refusals went unlogged before this one; None: this one goes unlogged too, and is counted."""
        if not self._lines.take(now):
            self.unlogged += 1
            return None
        unlogged, self.unlogged = self.unlogged, 0
        return unlogged


class Limits:
    """The meters of all users but root, for whom None stands."""

    def __init__(self, caps: Caps | None = None) -> None:
        self.caps = caps or Caps()
        self._meters: OrderedDict[int, Meter] = OrderedDict()
        self._connections = 0
        self._handshakes = 0

    def __len__(self) -> int:
        return len(self._meters)

    def meter_of(self, uid: int | None, now: float) -> Meter | None:
        """The meter of a user. While something of the user is open it isn't forgotten."""
        if uid is None:
            return None
        found = self._meters.get(uid)
        if found is None:
            found = self._meters[uid] = Meter(self.caps, now)
            self._forget()
        self._meters.move_to_end(uid)
        return found

    def enter(self, meter: Meter | None, now: float) -> Why | None:
        """Count one more connection of a user, and its handshake; or say why there shall be none.

        After None come `secured` and `leave`, once each.
        """
        if meter is None:
            return None
        if not meter.connect(now):
            return Why.CONNECTION_RATE
        if meter.connections >= self.caps.connections or self._connections >= self.caps.all_connections:
            return Why.CONNECTIONS
        if meter.handshakes >= self.caps.handshakes or self._handshakes >= self.caps.all_handshakes:
            return Why.HANDSHAKES
        meter.connections += 1
        self._connections += 1
        meter.handshakes += 1
        self._handshakes += 1
        return None

    def secured(self, meter: Meter | None) -> None:
        """A connection's handshake is over, one way or the other."""
        if meter is not None:
            meter.handshakes -= 1
            self._handshakes -= 1

    def leave(self, meter: Meter | None) -> None:
        """A connection is over."""
        if meter is not None:
            meter.connections -= 1
            self._connections -= 1

    def unlogged(self) -> Iterator[tuple[int, int]]:
        """Each user with refusals that got no line in the log, and how many; they count as told then."""
        for uid, meter in self._meters.items():
            if meter.unlogged:
                unlogged, meter.unlogged = meter.unlogged, 0
                yield uid, unlogged

    def _forget(self) -> None:
        if len(self._meters) > _USERS:
            for uid, meter in self._meters.items():
                if meter.idle:
                    del self._meters[uid]
                    return


def _recent(kept: OrderedDict[str, _T], name: str, make: Callable[[], _T]) -> _T:
    """`kept[name]`, made if need be; the one not used for the longest time makes room."""
    found = kept.get(name)
    if found is None:
        found = kept[name] = make()
        if len(kept) > _DEVICES:
            kept.popitem(last=False)
    kept.move_to_end(name)
    return found
