"""The tray at work: what the helper says becomes an icon, a menu and notifications, all on the surface's one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from pathlib import Path

from slopn_app import locale, preferences
from slopn_app.desktop.faces import Entry, Face, Surface
from slopn_app.desktop.parts import Notifications, Words
from slopn_app.desktop.watcher import Watcher
from slopn_app.feed import Problem, ProblemKind
from slopn_app.locale import t
from slopn_app.preferences import Stored
from slopn_app.tray.looks import look, moves
from slopn_app.tray.menu import Act, Ask, GiveNumber, Leave, Line, Retry, Show, menu
from slopn_app.tray.notices import Announcer, Kind, Notice
from slopn_app.tray.recent import Recent
from slopn_app.tray.sentences import counts, headline
from slopn_app.trouble import Trouble
from slopn_wire.commands import ApplySettings, Command, Connect, Disconnect
from slopn_wire.events import Refused, Result, Snapshot
from slopn_wire.state import Disconnected, TargetState

FRAME = 0.4
"""Seconds between two steps of an icon that moves."""
GRACE = 10.0
"""Seconds that a panel may take to come up after the tray."""
_GOODBYE = 5.0
Do = Callable[[], None]


class Tray:
    """One tray. `show_window` brings up the window at a page; `watch` begins to follow the helper and calls back from any thread.

    `stored`: the file of the preferences. `words`: see `main`. All methods are for the surface's thread, but `called`.
    """

    def __init__(
        self,
        surface: Surface,
        watch: Callable[[Callable[[Snapshot | Problem], None]], Watcher],
        notifications: Notifications,
        show_window: Callable[[str], None],
        recent: Recent,
        stored: Path,
        environ: Mapping[str, str],
        *,
        words: Words = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._surface = surface
        self._watch = watch
        self._notifications = notifications
        self._show_window = show_window
        self._recent = recent
        self._file = stored
        self._environ = environ
        self._login = "--login" in words
        self._wanted = words
        self._clock = clock
        self._announcer = Announcer()
        self._watcher: Watcher | None = None
        self._view: Snapshot | Problem | None = None
        self._stored = Stored()
        self._seen_file: int | None = -1
        self._frame = 0
        self._ticking: Do | None = None
        self._telling: Do | None = None
        self._waiting: Do | None = None
        self._placed = False
        self._first = True

    def start(self) -> None:
        """Called first thing on the surface's thread."""
        self._draw()
        self._surface.placed(self._place)
        self._watcher = self._watch(lambda view: self._surface.post(lambda: self.changed(view)))

    def called(self, words: Words) -> None:
        """Another start, with `words`; this one is to serve it. From any thread."""
        self._surface.post(lambda: self._serve(words))

    def changed(self, view: Snapshot | Problem) -> None:
        """The latest of the helper."""
        self._view = view
        if isinstance(view, Snapshot):
            if view.target_profile is not None and view.target is TargetState.SECURED:
                self._recent.used(view.target_profile)
            if self._first:
                self._first = False
                self._begin(view)
        self._read_preferences()
        self._tell(self._announcer.seen(view, self._clock()))
        self._draw()

    def close(self) -> None:
        """The surface has stopped."""
        if self._watcher is not None:
            self._watcher.close()
        self._notifications.close()

    def _begin(self, view: Snapshot) -> None:
        """The helper is there for the first time."""
        wanted, self._wanted = self._wanted, ()
        self._read_preferences()
        down = isinstance(view.state, Disconnected) and view.target is TargetState.UNSECURED
        if self._stored.preferences.connect_at_start and down and view.profiles:
            self._ask(Connect())
        self._serve(tuple(word for word in wanted if word != "--login"), shown=False)

    def _serve(self, words: Words, *, shown: bool = True) -> None:
        if "--connect" in words:
            self._ask(Connect())
        elif "--disconnect" in words:
            self._ask(Disconnect())
        elif shown and "--login" not in words:
            self._show_window("")
        self._read_preferences()  # the window calls when it has written them
        self._draw()

    def _draw(self) -> None:
        now = time.time()
        title, line = headline(self._view, now)
        if moves(self._view):
            title = f"{title} {line}"
        lines = menu(self._view, self._stored.preferences, self._recent.names, now)
        self._surface.show(Face(look(self._view, self._frame), title, tuple(map(self._bound, lines))))
        if self._ticking is None:
            if moves(self._view) and self._surface.animated:
                self._ticking = self._surface.later(FRAME, self._tick)
            elif counts(self._view):
                self._ticking = self._surface.later(1.0 - now % 1.0, self._tick)

    def _tick(self) -> None:
        self._ticking = None
        self._frame = self._frame + 1 if moves(self._view) else 0
        self._draw()

    def _bound(self, line: Line) -> Entry[Do]:
        act = line.act
        do: Do | None = None if act is None else lambda: self._do(act)
        return Entry(line.key, line.label, do, line.checked, line.radio, tuple(map(self._bound, line.children)))

    def _do(self, act: Act) -> None:
        match act:
            case Ask(command):
                self._ask(command)
            case Show(page):
                self._show_window(page)
            case Retry() if self._watcher is not None:
                self._watcher.retry()
            case GiveNumber():
                self._ask_number()
            case Leave(disconnect=disconnect):
                self._leave(disconnect=disconnect)

    def _ask(self, command: Command) -> None:
        if self._watcher is None:
            return
        if not isinstance(command, ApplySettings):
            self._announcer.asked()
            self._notifications.clear()
        self._watcher.ask(command).add_done_callback(lambda future: self._surface.post(lambda: self._answered(future)))

    def _answered(self, future: Future[Result]) -> None:
        try:
            result = future.result()
        except CancelledError:
            return
        except Trouble as trouble:
            lines: tuple[str, ...] = trouble.lines
        else:
            if not isinstance(result, Refused):
                return
            lines = tuple(result.message.splitlines())
        self._announcer.refused()
        self._tell(Notice(Kind.REFUSED, t("That wasn't done"), " ".join(lines), ((t("Open SloPN"), Show("status")),)))

    def _ask_number(self) -> None:
        view = self._view
        if isinstance(view, Problem) and view.kind is ProblemKind.NUMBER_NEEDED and self._watcher is not None:
            text = t(
                "SloPN's service shows a number of six digits in its journal, and on the page Devices of the window."
            )
            self._surface.ask_number(t("Pair the tray"), text, self._watcher.give_number)

    def _leave(self, *, disconnect: bool) -> None:
        if not disconnect or self._watcher is None:
            self._surface.stop()
            return
        self._announcer.asked()
        asked = self._watcher.ask(Disconnect(), _GOODBYE)

        def done(future: Future[Result]) -> None:
            self._surface.post(lambda: self._left(future))

        asked.add_done_callback(done)

    def _left(self, future: Future[Result]) -> None:
        """Gone only if the tunnel is going: who wanted both must see that one of them failed."""
        if future.cancelled() or (future.exception() is None and not isinstance(future.result(), Refused)):
            self._surface.stop()
        else:
            self._answered(future)

    def _tell(self, notice: Notice | None) -> None:
        if self._telling is not None:
            self._telling()
            self._telling = None
        due = self._announcer.due
        if due is not None:
            self._telling = self._surface.later(max(due - self._clock(), 0.0), self._late)
        if notice is None:
            return
        if not getattr(self._stored.preferences.notifications, notice.kind.value, True):
            self._notifications.clear()  # whatever was told before is over
            return
        buttons = tuple((label, self._pressed(act)) for label, act in notice.buttons)
        clicked = self._pressed(Show())
        self._notifications.show(notice.title, notice.text, buttons, urgent=notice.urgent, clicked=clicked)

    def _pressed(self, act: Act) -> Do:
        return lambda: self._surface.post(lambda: self._do(act))

    def _late(self) -> None:
        self._telling = None
        # A timer may be early by the width of a tick.
        self._tell(self._announcer.late(self._clock() + 0.01))

    def _place(self, there: bool) -> None:  # noqa: FBT001 - the surface calls back
        self._placed = there
        if there and self._waiting is not None:
            self._waiting()
            self._waiting = None
        elif not there and self._waiting is None:
            self._waiting = self._surface.later(GRACE if self._login else 1.0, self._nowhere)

    def _nowhere(self) -> None:
        """No panel takes the icon. Whoever asked for a tray gets the window; it is said once, ever."""
        self._waiting = None
        if self._placed:
            return
        self._read_preferences()
        told = self._stored.told_no_tray
        if not told:
            try:
                preferences.change(self._file, told_no_tray=True)
            except OSError:
                told = True  # better never than each time
        if not told:
            self._notifications.show(
                t("This desktop has no place for SloPN's icon"),
                t(
                    "The window shows the same, and SloPN tells you when something happens. On GNOME the extension “AppIndicator” makes a place."
                ),
                (),
                urgent=False,
            )
        if not told or not self._login:
            self._show_window("")

    def _read_preferences(self) -> None:
        try:
            stamp: int | None = self._file.stat().st_mtime_ns
        except OSError:
            stamp = None
        if stamp == self._seen_file:
            return
        self._seen_file = stamp
        self._stored = preferences.load(self._file)
        locale.speak(self._stored.preferences.language, self._environ)
