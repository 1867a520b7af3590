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
_TIMEOUT = 10.0
_END = 2.0
_NUMBERS = "_platform_to_interface_notification_identifier"
Buttons = tuple[tuple[str, Callable[[], None]], ...]


class DesktopNotifications:
    """See `slopn_app.desktop.parts.Notifications`. Where nobody shows them, nothing is shown. `icon`: a PNG."""

    def __init__(self, name: str, icon: Path) -> None:
        self._name = name
        self._icon = icon
        self._notifier: Any = None
        self._shown: str | None = None
        self._number: int | None = None
        self._turn = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread()

    def show(
        self, title: str, text: str, buttons: Buttons, *, urgent: bool, clicked: Callable[[], None] | None = None
    ) -> None:
        """See `Notifications`."""
        self._submit(self._show(title, text, buttons, urgent=urgent, clicked=clicked))

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
            self._thread.join(_END)

    async def _show(
        self, title: str, text: str, buttons: Buttons, *, urgent: bool, clicked: Callable[[], None] | None
    ) -> None:
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
                buttons=[Button(title=label, on_pressed=self._pressed(do)) for label, do in buttons],
                on_clicked=None if clicked is None else self._pressed(clicked),
            )
            numbers = getattr(self._notifier._backend, _NUMBERS, None)  # noqa: SLF001 - see `_withdraw`
            self._number = None if numbers is None else numbers.inverse.get(self._shown)

    async def _clear(self) -> None:
        async with self._turn:
            await self._withdraw()

    async def _withdraw(self) -> None:
        shown, self._shown = self._shown, None
        number, self._number = self._number, None
        if shown is None:
            return
        with contextlib.suppress(KeyError):
            await self._notifier.clear(shown)
            return
        # A button was pressed: the library has forgotten it, and there are desktops (dunst) that leave it on the screen.
        if number is not None:
            await self._notifier._backend.interface.call_close_notification(number)  # noqa: SLF001 - see above

    def _pressed(self, do: Callable[[], None]) -> Callable[[], None]:
        def pressed() -> None:
            do()
            self._submit(self._clear())

        return pressed

    def _submit(self, work: Coroutine[Any, Any, None]) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name="notifications", daemon=True)
                self._thread.start()
            asyncio.run_coroutine_threadsafe(_logged(work), self._loop)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(_TIMEOUT):
            await work
    except Exception:  # noqa: BLE001 - no bus, no daemon, a daemon that refuses: the tray shows it all the same
        _LOG.warning("The desktop showed no notification", exc_info=True)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
