"""Many clients watch a helper that tells a thousand events a second: whether each sees each, and what it costs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from load.figures import Figure, megabytes, spread
from load.home import TESTS, home
from load.usage import Sampler, cpu, growth
from support.until import until

PART = "watching"
SETTLED = 10.0
"""Seconds after which the ring of events is full and every buffer has its size."""
GROWTH = 1 << 20
"""Bytes above which memory counts as growing: some pages come and go."""
_STARTS_WITHIN = 30.0


class Watched(NamedTuple):
    """What came of it. `gaps`: what a client saw instead of the next number."""

    clients: int
    told: int
    complete: int
    """Clients that have seen every event."""
    gaps: list[str]
    delays: list[float]
    sampler: Sampler
    clients_cpu: float

    @property
    def growth(self) -> int:
        """Bytes, once everything had its size."""
        return growth(self.sampler.samples, SETTLED)


def watch(clients: int, rate: int, seconds: float) -> Watched:
    """`rate` events a second for `seconds`, to so many clients."""
    with home() as folder:
        served = folder / "run"
        served.mkdir()
        with (
            _process("load.telling_helper", str(served), str(rate), str(seconds)) as helper,
            _watchers(served / "helper.sock", clients) as watchers,
        ):
            used = cpu(watchers.pid)
            with Sampler(helper.pid) as sampler:
                _tell(helper, "go")
                told = _hear(helper)
            _tell(watchers, str(told["seq"]))
            seen = _hear(watchers)
            used = cpu(watchers.pid) - used
            _tell(helper, "end")
    complete = [
        last == told["seq"] and events >= told["told"]
        for last, events in zip(seen["last"], seen["events"], strict=True)
    ]
    return Watched(clients, told["told"], sum(complete), seen["gaps"], seen["delays"], sampler, used)


def figures(clients: int = 100, rate: int = 1000, seconds: float = 60.0) -> list[Figure]:
    """The gate: no gap, no growth."""
    found = watch(clients, rate, seconds)
    sampler, sizes = found.sampler, [sample.memory for sample in found.sampler.samples]
    whole = found.complete == clients and not found.gaps
    shown = f"{megabytes(sizes[0])} → {megabytes(sizes[-1])}, at most {megabytes(max(sizes))}"
    return [
        Figure(
            PART,
            f"{clients} clients, {rate} events/s for {seconds:g} s, clients without a gap",
            f"{found.complete} of {clients}, {found.told} events each, {len(found.gaps)} gaps {' '.join(sorted(set(found.gaps))[:3])}".rstrip(),
            "all",
            whole,
        ),
        Figure(PART, "helper's memory, first → last", shown),
        Figure(
            PART,
            f"helper's growth after the first {SETTLED:g} s",
            f"{found.growth / 1e6:+.2f} MB",
            "none (under 1 MB)",
            found.growth < GROWTH,
        ),
        Figure(PART, "helper's CPU", f"{sampler.cpu / sampler.seconds:.0%} of a core"),
        Figure(PART, "all clients' CPU, one process", f"{found.clients_cpu / sampler.seconds:.0%} of a core"),
        Figure(PART, "from the event to the client, p50 / p99 / max", spread(found.delays)),
    ]


@contextlib.contextmanager
def _watchers(socket: Path, count: int) -> Iterator[subprocess.Popen[str]]:
    until(socket.exists, _STARTS_WITHIN, "the helper listens")
    with _process("load.watching_clients", str(socket), str(count)) as process:
        _hear(process)
        yield process


@contextlib.contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", module, *arguments]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
    return json.loads(line)
