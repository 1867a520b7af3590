"""What the user wants: on disk before the tunnel hears of it, a pause with an end, told to everybody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from slopn_helper.health import warning
from slopn_helper.hub import Hub
from slopn_helper.pause import Pause
from slopn_helper.store import Store, StoreError, Wish
from slopn_wire.state import TargetState

_log = logging.getLogger(__name__)


class Wishes:
    """The wish in force. `now` changes by `want`, and when a pause runs out."""

    def __init__(self, hub: Hub, store: Store, stored: Wish, clock: Callable[[], float], boot: str) -> None:
        """`boot` tells this run of the computer from others: a pause ends with it."""
        self.now = Wish()
        self._hub = hub
        self._store = store
        self._clock = clock
        self._boot = boot
        self._pause: Pause | None = None
        self._take(stored)

    async def want(self, wish: Wish) -> None:
        """Let `wish` hold, once it is on disk. Raises `StoreError`, and the old one holds."""
        await asyncio.to_thread(self._store.save_wish, wish)
        self._hub.set_checked("wish", ())
        self._hold(wish)

    async def want_nothing(self) -> tuple[str, ...]:
        """Want no tunnel. A disk that takes nothing keeps nobody in: then it holds until the helper ends.

        Returns sentences about that.
        """
        wish = Wish(TargetState.UNSECURED, self.now.profile)
        try:
            await self.want(wish)
        except StoreError as error:
            _log.warning("%s", error)
            unsaved = warning("wish_unsaved", why=str(error).rstrip("."))
            self._hub.set_checked("wish", (unsaved,))
            self._hold(wish)
            return (unsaved.text,)
        return ()

    async def pause(self, profile: str, seconds: float) -> None:
        """Want no tunnel for now, and `profile` again after `seconds`. Raises `StoreError`."""
        await self.want(Wish(TargetState.PAUSED, profile, self._clock() + seconds, self._boot))

    def pause_left(self) -> float:
        """Seconds until the pause is over; 0.0 without one."""
        return 0.0 if self._pause is None else self._pause.left()

    def pause_over(self) -> None:
        """A pause that ran out is a wish for a tunnel again; on disk it says so already, by its end."""
        if self.now.target is TargetState.PAUSED and self.pause_left() <= 0:
            self._hold(Wish(TargetState.SECURED, self.now.profile))

    def wants(self, profile: str) -> bool:
        """Whether `profile` is wanted, now or after a pause."""
        return self.now.target is not TargetState.UNSECURED and self.now.profile == profile

    def _hold(self, wish: Wish) -> None:
        self._take(wish)
        self._hub.set_target(self.now.target, self.now.profile, self.now.until)

    def _take(self, wish: Wish) -> None:
        self._pause = None
        if wish.target is TargetState.PAUSED:
            self._pause = Pause(wish.until or 0.0, self._clock)
            wish = msgspec.structs.replace(wish, until=self._pause.until)
            if self._pause.left() <= 0 or wish.boot != self._boot:
                self._pause, wish = None, Wish(TargetState.SECURED, wish.profile)
        self.now = wish
