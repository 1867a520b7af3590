"""The tray on Windows and macOS, by pystray's own backends. The system's loop has the main thread; one other thread draws."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from slopn_app.desktop.faces import Entry, Face

Do = Callable[[], None]


class StatusIcon:
    """A `Surface`. `icons`: a folder with a picture for each name, ending in `ending`. `animated`: see there."""

    def __init__(self, name: str, icons: Path, icon: str, *, ending: str, animated: bool) -> None:
        self.animated = animated
        self._pystray = import_module("pystray")
        self._image = import_module("PIL.Image")
        self._icons = icons
        self._ending = ending
        self._pictures: dict[str, Any] = {}
        self._icon = _kind(self._pystray)(name, self._picture(icon), "SloPN", menu=None)
        self._shown: Face[Do] | None = None
        self._news = threading.Condition()
        self._due: list[tuple[float, int, list[Do]]] = []
        self._numbers = itertools.count()
        self._over = False

    def run(self, started: Do) -> None:
        """See `Surface`."""

        def draw(_: object) -> None:
            self._icon.visible = True
            started()
            while (do := self._next()) is not None:
                do()

        self._icon.run(setup=draw)

    def stop(self) -> None:
        """See `Surface`."""
        with self._news:
            self._over = True
            self._news.notify()
        self._icon.visible = False
        self._icon.stop()

    def post(self, do: Do) -> None:
        """See `Surface`."""
        self._put(time.monotonic(), [do])

    def later(self, seconds: float, do: Do) -> Do:
        """See `Surface`."""
        cell = [do]
        self._put(time.monotonic() + seconds, cell)
        return cell.clear

    def show(self, face: Face[Do]) -> None:
        """See `Surface`."""
        shown, self._shown = self._shown, face
        if shown is None or shown.icon != face.icon:
            self._icon.icon = self._picture(face.icon)
        if shown is None or shown.title != face.title:
            self._icon.title = face.title[:127]  # NOTIFYICONDATAW.szTip
        if shown is None or shown.menu != face.menu:
            self._icon.menu = self._pystray.Menu(*map(self._item, face.menu))

    def placed(self, changed: Callable[[bool], None]) -> None:
        """See `Surface`: these systems have one."""
        changed(True)

    def ask_number(self, title: str, text: str, given: Callable[[str], None]) -> None:
        """See `Surface`."""
        dialogs = import_module("tkinter.simpledialog")
        number = dialogs.askstring(title, text)
        if number:
            given(number.strip())

    def _item(self, entry: Entry[Do]) -> Any:
        item = self._pystray.MenuItem
        if not entry.label:
            return self._pystray.Menu.SEPARATOR
        label = entry.label.replace("&", "&&")
        if entry.children:
            return item(label, self._pystray.Menu(*map(self._item, entry.children)))
        checked = None if entry.checked is None else _always(value=entry.checked)
        act = entry.act

        def chosen(_icon: object, _item: object) -> None:
            if act is not None:
                self.post(act)

        return item(label, chosen, checked=checked, radio=entry.radio, enabled=act is not None)

    def _picture(self, name: str) -> Any:
        if name not in self._pictures:
            self._pictures[name] = self._image.open(self._icons / f"{name}{self._ending}")
        return self._pictures[name]

    def _put(self, due: float, cell: list[Do]) -> None:
        with self._news:
            heapq.heappush(self._due, (due, next(self._numbers), cell))
            self._news.notify()

    def _next(self) -> Do | None:
        with self._news:
            while not self._over:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    cell = heapq.heappop(self._due)[2]
                    if cell:
                        return cell[0]
                else:
                    self._news.wait(self._due[0][0] - now if self._due else None)
            return None


def _kind(pystray: Any) -> Any:
    """pystray's icon, whose menu isn't exchanged while the user has it open."""

    class Icon(pystray.Icon):  # type: ignore[misc]
        _open = False
        _stale = False

        def _on_notify(self, wparam: int, lparam: int) -> None:
            # Windows: returns when the menu is closed.
            self._open = True
            try:
                super()._on_notify(wparam, lparam)
            finally:
                self._open = False
                if self._stale:
                    self._stale = False
                    self.update_menu()

        def _update_menu(self) -> None:
            if self._open:
                self._stale = True
            else:
                super()._update_menu()

    return Icon


def _always(*, value: bool) -> Callable[[object], bool]:
    def checked(_: object) -> bool:
        return value

    return checked
