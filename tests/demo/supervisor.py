"""The demo's stand-in for systemd: starts the helper, and starts it again when it dies."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from typing import Self

from support.helper_process import HelperProcess
from support.until import until


class Supervisor:
    """Keeps `helper` running while entered; at the end it is told to stop in order."""

    def __init__(self, helper: HelperProcess) -> None:
        self.helper = helper
        self.restarts = 0
        self._may_restart = threading.Event()
        self._may_restart.set()
        self._given_up = False
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self.helper.start()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._may_restart.set()
        self._thread.join()
        if self.helper.alive:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.helper.terminate(timeout=5.0)

    def hold(self) -> None:
        """Leave the helper dead for now, so that one can look at the host without it."""
        self._may_restart.clear()

    def give_up(self) -> None:
        """Never start it again."""
        self._given_up = True

    def release(self) -> None:
        """Start it again as soon as it is dead."""
        self._may_restart.set()

    def wait_restarted(self, restarts: int, timeout: float) -> None:
        """Return once the helper was started `restarts` times after deaths and answers."""
        until(lambda: self.restarts >= restarts, timeout, "the supervisor has started the helper again")
        self.helper.wait_ready(timeout)

    def _watch(self) -> None:
        while not self._stop.is_set():
            if self.helper.alive:
                self._stop.wait(0.01)
            elif not self._may_restart.wait(0.05) or self._given_up:
                self._stop.wait(0.05)
            elif not self._stop.is_set():
                self.helper.spawn()
                self.restarts += 1
