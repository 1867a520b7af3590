"""The helper's events over as many connections as it takes: they are continued where they broke off, or begin anew."""

from __future__ import annotations

import time

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.fold import folded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

    from slopn_app.cli.documents import EventDoc, FollowedDoc, ResumedDoc, SnapshotDoc, UnreachableDoc

FIRST_DELAY = 0.1
LONGEST_DELAY = 1.0
"""Seconds between tries to reach a helper that is gone: doubled each time, from the first to the longest."""
_PASSING = frozenset({Status.UNREACHABLE, Status.TIMED_OUT})


class Follower:
    """A watch that survives the helper's restarts; a context. Raises `Failure` for what waiting can't cure.

    `after` and `epoch`: the last event known from an earlier watch. The first connection must succeed.
    """

    def __init__(self, after: int | None = None, epoch: str = "") -> None:
        self.view: SnapshotDoc | None = None
        """The whole, as of the last event; None while only events were asked for and none was missing."""
        self.lost: UnreachableDoc | None = None
        """Not None: the helper is gone, and what `view` says holds no more."""
        self._known, self._epoch = after, epoch
        self._delay = FIRST_DELAY
        self._retry_at = 0.0
        self._channel: Channel | None = Channel()
        try:
            self._first: SnapshotDoc | ResumedDoc | None = self._watch(self._channel)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._channel is not None:
            self._channel.__exit__(None, None, None)
            self._channel = None

    def next(self, deadline: float | None = None) -> FollowedDoc | None:
        """What comes next; None once `deadline` (`time.monotonic()`) has passed.

        A snapshot, or `resumed`, begins anew after each `unreachable` and after a gap; in between no event is missing.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            if self._channel is None:
                return self._reconnected(deadline)
            return self._streamed(self._channel, deadline)
        except Failure as failure:
            if failure.status not in _PASSING:
                raise
            return self._lost(failure)

    def _streamed(self, channel: Channel, deadline: float | None) -> SnapshotDoc | ResumedDoc | EventDoc | None:
        while (message := channel.streamed(deadline)) is not None:
            if message["type"] == "lagged":
                return self._watch(channel)
            if message["type"] != "event" or self._known is None or message["seq"] <= self._known:
                continue  # of an earlier watch: the snapshot has it already
            if message["seq"] != self._known + 1:
                return self._watch(channel)
            self._known = message["seq"]
            if self.view is not None:
                self.view = folded(self.view, message)
            return message
        return None

    def _reconnected(self, deadline: float | None) -> SnapshotDoc | ResumedDoc | None:
        wait = self._retry_at - time.monotonic()
        if deadline is not None and deadline - time.monotonic() < wait:
            time.sleep(max(deadline - time.monotonic(), 0))
            return None
        time.sleep(max(wait, 0))
        channel = Channel()
        try:
            answer = self._watch(channel)
        except BaseException:
            channel.__exit__(None, None, None)
            raise
        self._channel, self.lost, self._delay = channel, None, FIRST_DELAY
        return answer

    def _lost(self, failure: Failure) -> UnreachableDoc:
        self.close()
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        self._retry_at = time.monotonic() + delay
        self.lost = {"type": "unreachable", "reason": failure.lines[0], "retry_in": delay}
        return self.lost

    def _watch(self, channel: Channel) -> SnapshotDoc | ResumedDoc:
        answer: Any = channel.ask({"type": "watch", "after": self._known, "epoch": self._epoch})
        if answer["type"] == "snapshot":
            snapshot: SnapshotDoc = answer
            self.view, self._known, self._epoch = snapshot, snapshot["seq"], snapshot["epoch"]
            return snapshot
        resumed: ResumedDoc = answer
        self._known = resumed["seq"]
        return resumed
