"""Between the page and everything that isn't the page: answers its calls, and tells it what changes while it looks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from slopn_app import preferences
from slopn_app.desktop.watcher import Watcher
from slopn_app.feed import Problem, ProblemKind
from slopn_app.preferences import Preferences
from slopn_app.trouble import Trouble
from slopn_app.view import apply
from slopn_app.window import bundle, files, messages, opened
from slopn_app.window.messages import Invalid
from slopn_app.window.outbox import Outbox
from slopn_app.window.shell import Shell
from slopn_wire.commands import Diagnose
from slopn_wire.diagnosis import Diagnosis
from slopn_wire.events import Event, Refused, Result, Snapshot
from slopn_wire.logs import Logs

_LOG = logging.getLogger(__name__)
HIDDEN_PAUSE = 5.0
"""Seconds that nobody must have looked for before the window hangs up."""
_DIAGNOSIS = 60.0
_Reply = Callable[[str], None]
Said = Snapshot | Event | Problem


class Watch(Protocol):
    """Makes a `Watcher` that tells of every message."""

    def __call__(self, on_message: Callable[[Said], None], /) -> Watcher:
        """Begin to watch."""
        ...


class Actions(Protocol):
    """What the window has the system do. Each may block, and raises `OSError` with sentences for people."""

    def start_helper(self) -> None:
        """Ask the system to start the helper's service; the user may have to give a password."""
        ...

    def start_at_login(self, *, wanted: bool) -> None:
        """Have the tray started with the user's session, or no longer."""
        ...


class Session:
    """A `Listener` of the shell's. `store`: the preferences' file. Close it at the end."""

    def __init__(self, shell: Shell, watch: Watch, store: Path, actions: Actions) -> None:
        self._shell = shell
        self._watch = watch
        self._store = store
        self._actions = actions
        self._outbox = Outbox(shell)
        self._lock = threading.RLock()
        self._watcher: Watcher | None = None
        self._said: Snapshot | Problem | None = None
        self._turn = 0
        self._wanted: messages.FollowLogs | None = None
        self._stop: Callable[[], None] | None = None
        self._opened: list[dict[str, Any]] = []
        self._previewed: tuple[str, dict[str, str]] | None = None
        self._looks = 0
        self._closed = False
        self._worker = ThreadPoolExecutor(2, thread_name_prefix="window")
        self._attend()

    # -------------------------------------------------------------------------------------------------- from the shell

    def called(self, text: str) -> None:
        """As the interface."""
        try:
            call = messages.call(text)
        except Invalid as error:
            _LOG.warning("%s", error)
            return
        reply = self._replier(call.id)
        try:
            if call.to == "ask":
                self._ask(call.text, reply)
            else:
                self._local(messages.local(call.text), reply)
        except Invalid as error:
            reply(messages.error("invalid", str(error)))

    def dropped(self, paths: Sequence[Path]) -> None:
        """As the interface."""
        self.open([str(path) for path in paths])

    def gone(self) -> None:
        """As the interface."""
        with self._lock:
            self._outbox.shut()
            self._stop_logs()
            self._looks += 1
        self._hang_up_soon()

    # --------------------------------------------------------------------------------------------------- from elsewhere

    def open(self, words: Sequence[str]) -> None:
        """Show what these files and links would add, as soon as the page listens."""

        def read() -> None:
            try:
                found = opened.pushes(words)
            except opened.NotOpened as error:
                self._shell.tell(str(error))
                return
            with self._lock:
                if not self._outbox.is_open:
                    self._opened += found
                    return
            self._outbox.push(*found)

        self._worker.submit(read)

    def preferences_changed(self) -> None:
        """Somebody else has written the file."""
        self._outbox.push({"kind": "preferences", "preferences": preferences.load(self._store).preferences})

    def close(self) -> None:
        """Hang up for good."""
        with self._lock:
            self._closed = True
            self._outbox.shut()
            self._stop_logs()
            watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()
        self._worker.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------------------------------------------- the helper

    def _attend(self) -> Watcher:
        """The watcher, begun if need be."""
        with self._lock:
            if self._watcher is None:
                self._said = None
                self._turn += 1
                turn = self._turn
                self._watcher = self._watch(lambda said: self._told(said, turn))
                if not self._outbox.is_open:
                    self._hang_up_soon()
            return self._watcher

    def _told(self, said: Said, turn: int) -> None:
        with self._lock:
            if turn != self._turn:
                return  # one that is being closed
            if not isinstance(said, Event):
                self._said = said
                self._outbox.push(*_standing(said))
            elif isinstance(self._said, Snapshot):
                self._said = apply(self._said, said)
                self._outbox.push({"kind": "event", "event": said})

    def _hang_up_soon(self) -> None:
        seen = self._looks
        self._shell.later(HIDDEN_PAUSE, lambda: self._hang_up(seen))

    def _hang_up(self, seen: int) -> None:
        """Nobody has looked for a while: leave the helper alone."""
        with self._lock:
            if self._looks != seen or self._closed or self._outbox.is_open:
                return
            watcher, self._watcher = self._watcher, None
            self._turn += 1
            self._said = None
        if watcher is not None:
            # May wait for its thread, and we are on the desktop's.
            self._worker.submit(watcher.close)

    def _ask(self, text: str, reply: _Reply) -> None:
        self._attend().ask(messages.command(text)).add_done_callback(lambda done: reply(_outcome(done)))

    # -------------------------------------------------------------------------------------------------- what is local

    def _local(self, what: messages.Local, reply: _Reply) -> None:
        match what:
            case messages.Ready():
                self._ready()
                reply(messages.ok(None))
            case messages.Hidden():
                self.gone()
                reply(messages.ok(None))
            case messages.FollowLogs():
                self._follow(what)
                reply(messages.ok(None))
            case messages.StopLogs():
                self._stop_logs()
                reply(messages.ok(None))
            case messages.PickFiles():
                self._shell.pick(lambda paths: self._work(reply, lambda: {"files": files.read(paths)}))
            case messages.Save(name, text):
                self._place(files.plain_name(name), text.encode(errors="replace"), reply)
            case messages.Copy(text):
                self._shell.copy(text)
                reply(messages.ok(None))
            case messages.GetPreferences():
                self._work(reply, lambda: preferences.load(self._store).preferences)
            case messages.SetPreferences(wanted):
                self._work(reply, lambda: self._prefer(wanted))
            case messages.BundlePreview():
                asked = self._attend().ask(Diagnose(), _DIAGNOSIS)
                asked.add_done_callback(lambda done: reply(_outcome(done, self._preview)))
            case messages.SaveBundle():
                if self._previewed is None:
                    raise Invalid("There is no report yet.")
                name, found = self._previewed
                self._place(name, bundle.packed(found, time.time()), reply)
            case messages.StartHelper():
                self._work(reply, self._start_helper)
            case messages.ConfirmPairing(number):
                self._attend().give_number(number)
                reply(messages.ok(None))

    def _ready(self) -> None:
        with self._lock:
            self._looks += 1
            watcher = self._attend()
            first = [] if self._said is None else _standing(self._said)
            first += self._opened
            self._opened = []
            self._outbox.open(first)
            if self._wanted is not None and self._stop is None:
                self._follow(self._wanted)
            if isinstance(self._said, Problem) and self._said.kind is not ProblemKind.NUMBER_NEEDED:
                watcher.retry()

    def _follow(self, wanted: messages.FollowLogs) -> None:
        with self._lock:
            self._stop_logs()
            self._wanted = wanted
            if not self._outbox.is_open:
                return  # until the page is ready
            epoch = self._said.epoch if isinstance(self._said, Snapshot) else wanted.epoch
            # Numbers of another run of the helper's mean nothing in this one.
            after = wanted.after if wanted.epoch == epoch else 0
            self._stop = self._attend().follow_logs(wanted.filter, self._lines, 0.0, after)

    def _stop_logs(self) -> None:
        with self._lock:
            if self._stop is not None:
                self._stop()
            self._stop = self._wanted = None
            self._outbox.forget_lines()

    def _lines(self, logs: Logs | Problem) -> None:
        if isinstance(logs, Logs):
            self._outbox.lines(logs)

    def _place(self, name: str, data: bytes, reply: _Reply) -> None:
        def write(path: Path | None) -> dict[str, str | None]:
            if path is not None:
                files.write(path, data)
            return {"saved": None if path is None else str(path)}

        self._shell.place(name, lambda path: self._work(reply, lambda: write(path)))

    def _prefer(self, wanted: Preferences) -> Preferences:
        had = preferences.load(self._store).preferences
        if had.start_at_login != wanted.start_at_login:
            self._actions.start_at_login(wanted=wanted.start_at_login)
        return preferences.change(self._store, preferences=wanted).preferences

    def _preview(self, result: Result) -> dict[str, Any]:
        if not isinstance(result, Diagnosis):
            raise TypeError(f"{type(result).__name__} for a diagnosis")
        self._previewed = (bundle.name(time.time()), bundle.contents(result))
        return {"name": self._previewed[0], "files": self._previewed[1]}

    def _start_helper(self) -> None:
        self._actions.start_helper()
        self._attend().retry()

    def _work(self, reply: _Reply, do: Callable[[], Any]) -> None:
        """Whatever may take its time, on a thread of its own."""

        def work() -> None:
            try:
                answer = messages.ok(do())
            except (OSError, files.Unreadable) as error:
                strerror = error.strerror if isinstance(error, OSError) else None
                where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
                answer = messages.error("failed", f"{where}{strerror or error}")
            except Exception:  # noqa: BLE001 - whoever called is to hear of it
                _LOG.exception("A call of the page's failed")
                answer = messages.error("failed", "That failed; the window's log says why.")
            reply(answer)

        self._worker.submit(work)

    def _replier(self, number: int) -> _Reply:
        return lambda text: self._shell.deliver(messages.answered(number, text), lambda: None)


def _standing(said: Snapshot | Problem) -> list[dict[str, Any]]:
    """How the window stands with the helper, and if it stands well, all that is known."""
    if isinstance(said, Snapshot):
        return [
            {"kind": "link", "up": True, "text": "", "permitted": True},
            {"kind": "snapshot", "snapshot": said},
        ]
    link: dict[str, Any] = {
        "kind": "link",
        "up": False,
        "text": " ".join(said.lines),
        "permitted": said.kind is not ProblemKind.NOT_PERMITTED,
    }
    if said.kind is ProblemKind.NUMBER_NEEDED and said.expires is not None:
        link["number_until"] = said.expires
    return [link]


def _outcome(done: Future[Result], use: Callable[[Result], Any] = lambda result: result) -> str:
    """The answer to a command."""
    try:
        result = done.result()
    except Trouble as trouble:
        return messages.error(trouble.kind, str(trouble))
    except (CancelledError, OSError) as error:
        return messages.error("failed", str(error) or "The window is being closed.")
    if isinstance(result, Refused):
        return messages.error(result.kind.value, result.message)
    return messages.ok(use(result))
