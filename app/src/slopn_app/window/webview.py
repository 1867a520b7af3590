"""The window by pywebview, which is WebView2 on Windows and WKWebView on macOS.

pywebview puts its bridge into whatever page is shown, and finds what a page calls by name, dots and all, in the object it was
given. So it is given no object but two functions, and they answer only while the page that is shown is ours. What else of its
own it lets any page do (move the window, show a message, keep a shared value) reaches neither helper nor files.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slopn_app.preferences import Geometry
from slopn_app.window import messages
from slopn_app.window.desk import Desk, watch
from slopn_app.window.gate import Gate
from slopn_app.window.loopback import Loopback
from slopn_app.window.native import DROPS, SETTINGS, Dropped, Native, NoView
from slopn_app.window.pages import Pages
from slopn_app.window.promises import Promises
from slopn_app.window.shell import Listener

_LOG = logging.getLogger(__name__)
SMALLEST = (360, 480)
_GROUND = {"dark": "#121417", "light": "#fafafb", "auto": "#fafafb"}
FILES = ("Profiles pictures and ZIP files (*.conf;*.png;*.jpg;*.jpeg;*.webp;*.gif;*.zip)", "All files (*.*)")
"""In pywebview's form, which allows no comma."""


class WebviewShell:
    """A `Frame`. `keep`: where the window was, when it is hidden or closed. `may_hide`: whether closing hides it only.

    Raises `NoView`.
    """

    def __init__(
        self,
        pages: Pages,
        native: Native,
        geometry: Geometry,
        keep: Callable[[Geometry], None],
        may_hide: Callable[[], bool],
    ) -> None:
        import webview

        missing = native.missing()
        if missing is not None:
            raise NoView(missing)
        self._webview: Any = webview
        self._native = native
        self._geometry = geometry
        self._keep = keep
        self._may_hide = may_hide
        self._listener: Listener | None = None
        self._ground = _GROUND["auto"]
        self._maximized = geometry.maximized
        self._minimized = False
        self._ending = False
        self._fenced = False
        self._desk = Desk("desk")
        self._sender = Desk("to the page")
        self._promises = Promises(self._say)
        self.page = Loopback(pages)
        self._gate = Gate(self.page.is_page, self._shown)
        self.window: Any = None

    def run(self, listener: Listener) -> None:
        """Show the window; returns when it is closed for good. On the process's main thread."""
        self._listener = listener
        for name, value in SETTINGS.items():
            self._webview.settings[name] = value
        was = self._geometry
        self.window = window = self._webview.create_window(
            "SloPN",
            self.page.home,
            width=max(was.width, SMALLEST[0]),
            height=max(was.height, SMALLEST[1]),
            x=was.x,
            y=was.y,
            maximized=was.maximized,
            min_size=SMALLEST,
            background_color=self._ground,
            easy_drag=False,
            text_select=True,  # else pywebview adds a style of its own, which the page's policy refuses
            zoomable=True,
        )
        window.expose(*self._functions())
        for event, handler in (
            ("initialized", lambda renderer: renderer == self._native.renderer),
            ("before_show", self._before_show),
            ("before_load", self._before_load),
            ("loaded", self._loaded),
            ("closing", self._closing),
            ("maximized", lambda: self._state(maximized=True)),
            ("minimized", lambda: self._state(minimized=True)),
            ("restored", self._state),
        ):
            setattr(window.events, event, getattr(window.events, event).__iadd__(handler))
        self._catch_drops()
        try:
            self._webview.start(gui=self._native.gui, debug=False, private_mode=True, http_server=False)
        finally:
            self._promises.break_all()
            self._desk.close()
            self._sender.close()
            self.page.close()

    def present(self) -> None:
        """Bring it to the front, from wherever it is."""

        def present() -> None:
            if self.window is None:
                return  # it is about to be shown
            if self._minimized:
                self.window.restore()
            self.window.show()

        self._desk.soon(present)

    def dress(self, appearance: str) -> None:
        """Have the ground before the page is there as the page will be; the frame is the system's."""
        self._ground = _GROUND.get(appearance, _GROUND["auto"])

    def watch(self, file: Path, changed: Callable[[], None]) -> None:
        """Call back when a file has been written by somebody."""
        watch(self._desk, file, changed)

    # ----------------------------------------------------------------------------------------------- as the interface

    def deliver(self, text: str, done: Callable[[], None]) -> None:
        """As the interface. What answers a call goes back the way the call came."""
        found = json.loads(text)
        if "id" in found:
            self._promises.keep(found["id"], found["text"])
            done()
            return

        def push() -> None:
            try:
                if self.page.is_page(self._shown()):
                    self.window.evaluate_js(f"window.slopn?.receive({json.dumps(found['pushes'])}); 0")
            finally:
                done()

        self._sender.soon(push)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """As the interface."""
        self._desk.later(seconds, do)

    def pick(self, chosen: Callable[[Sequence[Path]], None]) -> None:
        """As the interface."""

        def pick() -> None:
            kind = self._webview.FileDialog.OPEN
            found = self.window.create_file_dialog(kind, allow_multiple=True, file_types=FILES)
            chosen([Path(name) for name in found or ()])

        _aside(pick)

    def place(self, name: str, chosen: Callable[[Path | None], None]) -> None:
        """As the interface."""

        def place() -> None:
            found = self.window.create_file_dialog(self._webview.FileDialog.SAVE, save_filename=name)
            # Some of them hand out the path itself.
            first = found if isinstance(found, str) else (found or [None])[0]
            chosen(None if first is None else Path(first))

        _aside(place)

    def tell(self, text: str) -> None:
        """As the interface."""
        _aside(lambda: self.window.create_confirmation_dialog("SloPN", text))

    def copy(self, text: str) -> None:
        """As the interface."""
        self._desk.soon(lambda: self._native.copy(self.window, text))

    # ------------------------------------------------------------------------------------------------------ the bridge

    def _functions(self) -> tuple[Callable[[str], str], ...]:
        """By the names they have in the contract; each on a thread of its own, as pywebview has it."""

        def ask(text: str) -> str:
            return self._call("ask", text)

        def local(text: str) -> str:
            return self._call("local", text)

        return ask, local

    def _call(self, to: str, text: Any) -> str:
        if not self._fenced or not self._gate.ours(self._gate.ticket()):
            _LOG.warning("Something that isn't the page has said something")
            return messages.error("foreign", "This isn't the window's page.")
        if not isinstance(text, str) or len(text) > messages.MOST:
            return messages.error("invalid", "The window doesn't understand its page.")
        return self._promises.answer(to, text)

    def _say(self, text: str) -> None:
        listener = self._listener
        if listener is not None:
            self._desk.soon(lambda: listener.called(text))

    def _shown(self) -> str | None:
        found = self.window.get_current_url()
        return found and str(found)

    # --------------------------------------------------------------------------------------------------------- events

    def _before_show(self) -> None:
        """Nothing is shown without the fence. pywebview goes on whatever is raised here."""
        try:
            self._native.fence(self.window, self._may, self._leave)
        except Exception:
            self._ending = True
            self._desk.soon(self.window.destroy)
            raise
        self._fenced = True

    def _may(self, uri: str) -> bool:
        if self.page.is_page(uri):
            return True
        _LOG.warning("Refused: %s", uri)
        return False

    def _leave(self) -> None:
        """The session ends: nothing is to hold it up."""
        self._ending = True

    def _before_load(self) -> None:
        self._gate.begins()
        self._promises.break_all()
        self._gone()

    def _loaded(self) -> None:
        if self._gate.arrived():
            self.window.run_js(DROPS)
            return
        # The fence lets nothing through. Whatever did, it ends here.
        _LOG.error("Left the page for %s", self._shown())
        self.window.load_url(self.page.home)

    def _gone(self) -> None:
        listener = self._listener
        if listener is not None:
            self._desk.soon(listener.gone)

    def _state(self, *, maximized: bool = False, minimized: bool = False) -> None:
        self._maximized = maximized or (minimized and self._maximized)
        self._minimized = minimized

    def _closing(self) -> bool:
        """False: not now. Asked on the desktop's thread, on which it can't be asked where the window is."""
        if self._ending:
            return True
        self._desk.soon(self._close)
        return False

    def _close(self) -> None:
        self._note()
        if self._may_hide():
            self.window.hide()
            self._gone()
        else:
            self._ending = True
            self.window.destroy()

    def _note(self) -> None:
        was = self._geometry
        if self._maximized or self._minimized:
            self._geometry = Geometry(was.width, was.height, was.x, was.y, self._maximized)
        else:
            window = self.window
            self._geometry = Geometry(int(window.width), int(window.height), int(window.x), int(window.y))
        self._keep(self._geometry)

    def _catch_drops(self) -> None:
        from webview.dom import _dnd_state

        def dropped(paths: Sequence[Path]) -> None:
            listener = self._listener
            if listener is not None:
                self._desk.soon(lambda: listener.dropped(paths) if self.page.is_page(self._shown()) else None)

        _dnd_state["num_listeners"] = 1
        _dnd_state["paths"] = Dropped(dropped)


def _aside(do: Callable[[], None]) -> None:
    """What waits for the user, whom nothing else waits for."""
    threading.Thread(target=do, name="dialog", daemon=True).start()
