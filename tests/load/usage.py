"""What a process uses, by proc(5)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")


def memory(pid: int) -> int:
    """Resident set in bytes, now."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def peak(pid: int) -> int:
    """The largest resident set in bytes since the start, or since `forget_peak`."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def forget_peak(pid: int) -> None:
    """Let `peak` begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def cpu(pid: int) -> float:
    """CPU seconds, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Sample(NamedTuple):
    """One look: seconds since the first, bytes."""

    at: float
    memory: int


class Sampler:
    """Looks at a process's memory every quarter of a second while entered, and counts its CPU seconds."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._begun = time.monotonic()
        self._cpu = 0.0
        self.samples: list[Sample] = []
        self.cpu = 0.0
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._begun, self._cpu = time.monotonic(), cpu(self._pid)
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        self.cpu = cpu(self._pid) - self._cpu
        self.seconds = time.monotonic() - self._begun

    def _run(self) -> None:
        while not self._over.wait(0.25):
            self._look()

    def _look(self) -> None:
        self.samples.append(Sample(time.monotonic() - self._begun, memory(self._pid)))


def growth(samples: Sequence[Sample], settled: float) -> int:
    """Bytes by which the last fifth of `samples` is above the fifth that follows the first `settled` seconds; medians.

    So neither a cache that fills at first nor a single look decides.
    """
    later = [each.memory for each in samples if each.at >= settled]
    part = max(len(later) // 5, 1)
    first, last = sorted(later[:part]), sorted(later[-part:])
    return last[len(last) // 2] - first[len(first) // 2]
