"""Between the page and everything that isn't the page: answers its calls, and tells it what changes while it looks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from slopn_app.client import REPLY_TIMEOUT
from slopn_app.desktop.watcher import Watcher
from slopn_app.feed import Problem, ProblemKind
from slopn_app.view import apply
from slopn_app.window import messages, opened
from slopn_app.window.errands import Actions, Errands, Reply, outcome
from slopn_app.window.messages import Invalid
from slopn_app.window.outbox import Outbox
from slopn_app.window.shell import Shell
from slopn_wire.commands import Diagnose, Enrol, RenewEnrolment
from slopn_wire.events import Event, Snapshot
from slopn_wire.logs import Logs

_LOG = logging.getLogger(__name__)
HIDDEN_PAUSE = 5.0
"""Seconds that nobody must have looked for before the window hangs up."""
_DIAGNOSIS = 60.0
_ENROLMENT = 75.0
"""Seconds for what asks somebody outside."""
Said = Snapshot | Event | Problem


class Watch(Protocol):
    """Makes a `Watcher` that tells of every message."""

    def __call__(self, on_message: Callable[[Said], None], /) -> Watcher:
        """Begin to watch."""
        ...


class Session:
    """A `Listener` of the shell's. `store`: the preferences' file. Close it at the end."""

    def __init__(self, shell: Shell, watch: Watch, store: Path, actions: Actions) -> None:
        self._shell = shell
        self._watch = watch
        self._actions = actions
        self._errands = Errands(shell, store, actions)
        self._outbox = Outbox(shell)
        self._lock = threading.RLock()
        self._watcher: Watcher | None = None
        self._said: Snapshot | Problem | None = None
        self._turn = 0
        self._wanted: messages.FollowLogs | None = None
        self._stop: Callable[[], None] | None = None
        self._opened: list[dict[str, Any]] = []
        self._looks = 0
        self._closed = False
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

        self._errands.submit(read)

    def preferences_changed(self) -> None:
        """Somebody else has written the file."""
        self._outbox.push({"kind": "preferences", "preferences": self._errands.preferences()})

    def close(self) -> None:
        """Hang up for good."""
        with self._lock:
            self._closed = True
            self._outbox.shut()
            self._stop_logs()
            watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()
        self._errands.close()

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
            self._errands.submit(watcher.close)

    def _ask(self, text: str, reply: Reply) -> None:
        command = messages.command(text)
        within = _ENROLMENT if isinstance(command, Enrol | RenewEnrolment) else REPLY_TIMEOUT
        self._attend().ask(command, within).add_done_callback(lambda done: reply(outcome(done)))

    # -------------------------------------------------------------------------------------------------- what is local

    def _local(self, what: messages.Local, reply: Reply) -> None:
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
            case messages.BundlePreview():
                asked = self._attend().ask(Diagnose(), _DIAGNOSIS)
                asked.add_done_callback(lambda done: reply(outcome(done, self._errands.preview)))
            case messages.StartHelper():
                self._errands.work(reply, self._start_helper)
            case messages.ConfirmPairing(number):
                self._attend().give_number(number)
                reply(messages.ok(None))
            case _:
                self._errands.run(what, reply)

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

    def _start_helper(self) -> None:
        self._actions.start_helper()
        self._attend().retry()

    def _replier(self, number: int) -> Reply:
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
