"""What the page has the window do that has nothing to do with the helper: files, clipboard, preferences."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from slopn_app import atomic, preferences
from slopn_app.preferences import Preferences
from slopn_app.trouble import Trouble
from slopn_app.window import bundle, files, messages
from slopn_app.window.messages import Invalid
from slopn_app.window.shell import Shell
from slopn_wire.diagnosis import Diagnosis
from slopn_wire.events import Refused, Result

_LOG = logging.getLogger(__name__)
Reply = Callable[[str], None]
"""Takes the answer to a call; on any thread, once."""


class Actions(Protocol):
    """What the window has the system do. Each may block, and raises `OSError` with sentences for people."""

    def start_helper(self) -> None:
        """Ask the system to start the helper's service; the user may have to give a password."""
        ...

    def start_at_login(self, *, wanted: bool) -> None:
        """Have the tray started with the user's session, or no longer."""
        ...


class Errands:
    """See the module. `store`: the preferences' file. What may take its time runs on threads of its own; close it."""

    def __init__(self, shell: Shell, store: Path, actions: Actions) -> None:
        self._shell = shell
        self._store = store
        self._actions = actions
        self._previewed: tuple[str, dict[str, str]] | None = None
        self._worker = ThreadPoolExecutor(2, thread_name_prefix="window")

    def run(self, what: messages.Local, reply: Reply) -> None:
        """Do it, and answer. Raises `Invalid`."""
        match what:
            case messages.PickFiles():
                self._shell.pick(lambda paths: self.work(reply, lambda: {"files": files.read(paths)}))
            case messages.Save(name, text):
                self._place(files.plain_name(name), text.encode(errors="replace"), reply)
            case messages.SaveBundle():
                if self._previewed is None:
                    raise Invalid("There is no report yet.")
                self._place(self._previewed[0], bundle.packed(self._previewed[1], time.time()), reply)
            case messages.Copy(text):
                self._shell.copy(text)
                reply(messages.ok(None))
            case messages.GetPreferences():
                self.work(reply, self.preferences)
            case messages.SetPreferences(wanted):
                self.work(reply, lambda: self._prefer(wanted))
            case _:
                raise Invalid(f"Nobody here does {type(what).__name__}.")

    def preferences(self) -> Preferences:
        """As the file has them."""
        return preferences.load(self._store).preferences

    def preview(self, result: Result) -> dict[str, Any]:
        """What a report of this diagnosis would hold; it is what `SaveBundle` saves."""
        if not isinstance(result, Diagnosis):
            raise TypeError(f"{type(result).__name__} for a diagnosis")
        self._previewed = (bundle.name(time.time()), bundle.contents(result))
        return {"name": self._previewed[0], "files": self._previewed[1]}

    def work(self, reply: Reply, do: Callable[[], Any]) -> None:
        """Answer with what `do` returns or raises."""

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

        self.submit(work)

    def submit(self, do: Callable[[], None]) -> None:
        """Have it done soon."""
        self._worker.submit(do)

    def close(self) -> None:
        """Begin nothing more."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _place(self, name: str, data: bytes, reply: Reply) -> None:
        def write(path: Path | None) -> dict[str, str | None]:
            if path is not None:
                atomic.write(path, data)
            return {"saved": None if path is None else str(path)}

        self._shell.place(name, lambda path: self.work(reply, lambda: write(path)))

    def _prefer(self, wanted: Preferences) -> Preferences:
        had = self.preferences()
        if had.start_at_login != wanted.start_at_login:
            self._actions.start_at_login(wanted=wanted.start_at_login)
        return preferences.change(self._store, preferences=wanted).preferences


def outcome(done: Future[Result], use: Callable[[Result], Any] = lambda result: result) -> str:
    """The answer that a command's result is, as it is or by `use`."""
    try:
        result = done.result()
    except Trouble as trouble:
        return messages.error(trouble.kind, str(trouble))
    except (CancelledError, OSError) as error:
        return messages.error("failed", str(error) or "The window is being closed.")
    if isinstance(result, Refused):
        return messages.error(result.kind.value, result.message)
    return messages.ok(use(result))
