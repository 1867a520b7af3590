"""Serving clients: who asks, what they may, and the hub that answers them.

Interfaces alone; `endpoints` has a mechanism a system, `server` the clients, `session` the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from slopn_helper.principal import Principal
from slopn_helper.ring import Batch as Batch
from slopn_wire.commands import Command
from slopn_wire.devices import AllowedUser, Device, PendingPairing, UserBasis
from slopn_wire.events import Result, Resumed, Snapshot


class Subscription(Protocol):
    """One reader of the hub's events: a place in the ring that all readers share. Leaving the context ends it."""

    @property
    def first(self) -> Snapshot | Resumed:
        """The answer to the watch: events follow the whole, or the number that was asked for."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def batch(self) -> Batch:
        """Wait until there is an event, then return all there are, up to some tens of kilobytes."""
        ...


class Hub(Protocol):
    """The one place where state leaves the helper and commands come in."""

    def snapshot(self) -> Snapshot:
        """The whole, as of the last event."""
        ...

    def subscribe(self, after: int | None = None, epoch: str = "") -> Subscription:
        """A reader that misses no event after its snapshot, or after event `after` of this helper's run `epoch`."""
        ...

    async def submit(self, who: Principal, command: Command) -> Result:
        """Accept or refuse `command`; the outcome comes as events. Never raises for a user's mistake."""
        ...

    def set_devices(self, devices: tuple[Device, ...]) -> None:
        """The paired front ends have changed."""
        ...

    def set_pairings(self, pairings: tuple[PendingPairing, ...]) -> None:
        """Those that wait to be paired have changed."""
        ...


class Users(Protocol):
    """Which users of this computer may use SloPN."""

    def basis(self, uid: int, gid: int, groups: tuple[int, ...]) -> UserBasis | None:
        """Why a process with these credentials may; None: it may not."""
        ...

    def all(self) -> tuple[AllowedUser, ...]:
        """Everybody who may, by name."""
        ...

    def add(self, name: str) -> None:
        """Let `name` use SloPN from now on. Raises `ValueError` with a sentence, `StoreError`."""
        ...

    def remove(self, name: str) -> None:
        """Take back `add`. Raises `ValueError` with a sentence, also for one who may for another reason, `StoreError`."""
        ...

    def on_change(self, call: Callable[[], None]) -> None:
        """`call` whenever somebody may have lost or gained access."""
        ...
