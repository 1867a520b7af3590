"""Serving clients: who asks, what they may, and the hub that answers them.

Interface alone; `endpoints` has a mechanism a system, `server` the clients, `session` the protocol.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from slopn_helper.principal import Principal
from slopn_wire.commands import Command
from slopn_wire.events import Event, Lagged, Result, Snapshot


class Subscription(Protocol):
    """One reader of the hub's events, from `snapshot` on; leaving the context ends it."""

    @property
    def snapshot(self) -> Snapshot:
        """The whole, as of the moment the subscription began."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def next(self) -> Event | Lagged:
        """Wait for the next event. `Lagged` once, when the reader fell 256 behind; nothing follows it."""
        ...


class Hub(Protocol):
    """The one place where state leaves the helper and commands come in."""

    def snapshot(self) -> Snapshot:
        """The whole, as of the last event."""
        ...

    def subscribe(self) -> Subscription:
        """A reader that misses no event after its snapshot."""
        ...

    async def submit(self, who: Principal, command: Command) -> Result:
        """Accept or refuse `command`; the outcome comes as events. Never raises for a user's mistake."""
        ...
