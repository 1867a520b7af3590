"""The desktop's notifications, by desktop-notifier, on a thread of their own. One at a time: the next one takes its place."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)
_END = 2.0
Buttons = tuple[tuple[str, Callable[[], None]], ...]


class DesktopNotifications:
    """See `slopn_app.desktop.parts.Notifications`. Where nobody shows them, nothing is shown. `icon`: a PNG."""

    def __init__(self, name: str, icon: Path) -> None:
        self._name = name
        self._icon = icon
        self._notifier: Any = None
        self._shown: str | None = None
        self._turn = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def show(self, title: str, text: str, buttons: Buttons, *, urgent: bool) -> None:
        """See `Notifications`."""
        self._submit(self._show(title, text, buttons, urgent=urgent))

    def clear(self) -> None:
        """See `Notifications`."""
        if self._loop is not None:
            self._submit(self._clear())

    def close(self) -> None:
        """See `Notifications`."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    async def _show(self, title: str, text: str, buttons: Buttons, *, urgent: bool) -> None:
        # Heavy, and most runs of a tray tell nothing.
        from desktop_notifier import Button, DesktopNotifier, Icon, Urgency

        async with self._turn:
            if self._notifier is None:
                self._notifier = DesktopNotifier(self._name, Icon(path=self._icon))
            await self._withdraw()
            self._shown = await self._notifier.send(
                title=title,
                message=text,
                urgency=Urgency.Critical if urgent else Urgency.Normal,
                buttons=[Button(title=label, on_pressed=do) for label, do in buttons],
            )

    async def _clear(self) -> None:
        async with self._turn:
            await self._withdraw()

    async def _withdraw(self) -> None:
        shown, self._shown = self._shown, None
        if shown is not None and self._notifier is not None:
            with contextlib.suppress(KeyError):  # the user has closed it
                await self._notifier.clear(shown)

    def _submit(self, work: Coroutine[Any, Any, None]) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_serve, args=(self._loop,), name="notifications", daemon=True).start()
            asyncio.run_coroutine_threadsafe(_logged(work), self._loop)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(_END * 5):
            await work
    except Exception:  # noqa: BLE001 - no bus, no daemon, a daemon that refuses: the tray shows it all the same
        _LOG.warning("The desktop showed no notification", exc_info=True)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
