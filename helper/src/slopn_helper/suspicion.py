"""Whether a gateway that has others beside it is still there, told by its counters. No I/O, no clock.

The engine alone takes 18 s to call a gateway dead, since a gateway in order may leave data unanswered for 10 s (whitepaper, 6.5).
Who has others to go to needn't wait: somebody who talks and hears nothing asks for a handshake after a second, and then the
others for one, too. It is given up only when another one answers while it doesn't: no network at all is nobody's death.
"""

from __future__ import annotations

from enum import Enum

EVERY = 0.5
"""Seconds between two looks."""
TALK = 3
"""Looks in a row with data sent and nothing heard, until it is asked. A keepalive alone is one."""
MOST_TALK = 20
"""The same for a gateway that has answered in vain questions: data that goes one way needs no answer."""
WINDOW = 12.0
"""Seconds in which these looks must lie: keepalives now and then are no talk."""
ASK = 1.0
"""Seconds that it has for a handshake before others are asked. The engine begins one a second at most."""
GIVE_UP = 0.5
"""Seconds that it has for the second one before another may take its place."""


class Todo(Enum):
    """What is to be done about it."""

    NOTHING = "nothing"
    ASK = "ask"
    """Have a handshake with it."""
    ASK_ALL = "ask all"
    """The same, and with all others."""
    CALM = "calm"
    """It is there: the others aren't needed."""


class Suspicion:
    """About one gateway. Times are any steady clock's, in seconds."""

    def __init__(self) -> None:
        self._counted = (0, 0)
        self._silent = 0
        self._silent_since = 0.0
        self._patience = TALK
        self._asked_at: float | None = None
        self._all_asked_at: float | None = None
        self._pause = ASK

    def look(self, received: int, sent: int, rtt: float | None, now: float) -> Todo:
        """Its counters, in bytes, and how long a handshake took last."""
        (heard, said), self._counted = self._counted, (received, sent)
        self._pause = max(ASK, 2 * (rtt or 0.0))
        if received != heard:
            return self._heard()
        if self._asked_at is None:
            if not self._talked(now, talks=sent != said):
                return Todo.NOTHING
            self._asked_at = now
            return Todo.ASK
        if self._all_asked_at is None and now - self._asked_at >= self._pause:
            self._all_asked_at = now
            return Todo.ASK_ALL
        return Todo.NOTHING

    def is_given_up(self, now: float) -> bool:
        """Whether another one that answers may take its place."""
        return self._all_asked_at is not None and now - self._all_asked_at >= self._pause * GIVE_UP

    def _talked(self, now: float, *, talks: bool) -> bool:
        """Whether it was talked to long enough without a word."""
        if self._silent == 0 or now - self._silent_since > WINDOW:
            self._silent, self._silent_since = 0, now
        self._silent += talks
        return self._silent >= self._patience

    def _heard(self) -> Todo:
        others = self._all_asked_at is not None
        if self._asked_at is not None:
            # It may be the handshake's answer alone.
            self._patience = min(2 * self._patience, MOST_TALK)
        elif self._silent <= 1:
            self._patience = TALK
        self._silent = 0
        self._asked_at = self._all_asked_at = None
        return Todo.CALM if others else Todo.NOTHING
