"""What the helper and the gateway have in common when tests run them: a process with a log, that is killed and started anew."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self


class ServiceProcess(ABC):
    """A program in a directory of its own, up while entered; the directory survives `kill`, so that `start` is a restart."""

    what: ClassVar[str]
    """What it is called in a failure's message."""
    killed_within: ClassVar[float]
    ends_within: ClassVar[float]
    """Seconds, on a machine that does much else."""

    dir: Path
    log_path: Path
    process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start the process and return once it does its work."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None, f"{self.what} was never started"
        return self.process.pid

    def still_alive(self) -> None:
        """Raise `RuntimeError`, with the end of its log, if it has died."""
        if not self.alive:
            raise RuntimeError(f"{self.what} ended with {self.process and self.process.returncode}:\n{self.tail()}")

    def kill(self) -> None:
        """SIGKILL: it has no chance to put anything in order. Returns when it is gone."""
        self._end(signal.SIGKILL, self.killed_within)

    def terminate(self, timeout: float | None = None) -> int:
        """SIGTERM: it ends in order. Returns its exit status."""
        self._end(signal.SIGTERM, self.ends_within if timeout is None else timeout)
        assert self.process is not None
        return int(self.process.returncode)

    def log(self) -> str:
        """Everything that it has written, over all its starts."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """The last lines of the log, for a failure's message."""
        return "\n".join(self.log().splitlines()[-lines:])

    def _end(self, number: int, timeout: float) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)
            self.process.wait(timeout)
