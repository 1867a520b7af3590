"""`slopn logs -f` at debug level while a real tunnel is full: whether each number is there, and what it costs the tunnel."""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.link import Ends, Tunnel
from bench.measure import CASES, Result, run
from load.figures import Figure
from load.home import home
from slopn_app.cli.channel import Channel
from support.gateway import TUNNEL4, Gateway
from support.helper_process import BIN, HelperProcess
from support.slopn import pair
from support.topology import Lab
from support.until import until

PART = "logs -f"
_PROFILE = "lab"
_PATIENCE = 20.0
_CHATTER = 0.02
"""Seconds between two requests of a front end: each is a line at debug level."""


class Read(NamedTuple):
    """What the reader printed in one run."""

    numbers: list[int]
    missed: int
    """Lines that the helper told to be lost."""
    last: int
    """The number of a line that the helper had when the traffic was over."""

    @property
    def whole(self) -> bool:
        """Whether each number from the first to that one is there, once and in order."""
        return (
            not self.missed
            and bool(self.numbers)
            and self.numbers[-1] >= self.last
            and self.numbers == list(range(self.numbers[0], self.numbers[-1] + 1))
        )


class Compared(NamedTuple):
    """Runs at level info without a reader, and at debug with one."""

    without: list[Result]
    reading: list[Result]
    read: list[Read]


def compare(rounds: int, seconds: float) -> Compared:
    """So many runs of `seconds` each way, taking turns at who is first."""
    found = Compared([], [], [])
    with home() as folder, _tunnel() as (lab, helper, tunnel), _chatter(helper):
        ends = Ends(lab.client, lab.gateway)
        for number in range(rounds):
            for reads in (number % 2 == 1, number % 2 == 0):
                _do(helper, "settings", "set", "log_level", "debug" if reads else "info")
                if reads:
                    with _reader(helper, folder / f"lines{number}") as printed:
                        found.reading.append(run(ends, tunnel, CASES[0], seconds))
                        found.read.append(_all_of(helper, printed))
                else:
                    found.without.append(run(ends, tunnel, CASES[0], seconds))
    return found


def figures(rounds: int = 12, seconds: float = 8.0) -> list[Figure]:
    """The gate: every number, and a throughput that the noise hides."""
    found = compare(rounds, seconds)
    without, reading = [[result.gbps for result in some] for some in (found.without, found.reading)]
    lines = sum(len(read.numbers) for read in found.read)
    whole = sum(read.whole for read in found.read)
    runs = f"{rounds} × {seconds:g} s, 1 stream"
    return [
        Figure(
            PART,
            f"debug level, full tunnel ({runs}), runs in which every number was printed",
            f"{whole} of {rounds}, {lines} lines",
            "all",
            whole == rounds,
        ),
        Figure(PART, "throughput at level info without a reader, median (least – most)", _gbps(without)),
        Figure(
            PART,
            "throughput at debug with `slopn logs -f`, median (least – most)",
            _gbps(reading),
            "median not below the least without",
            statistics.median(reading) >= min(without),
        ),
        Figure(
            PART,
            "CPU s/GB of both engines, without / with, medians",
            f"{_cost(found.without)} / {_cost(found.reading)}",
        ),
    ]


@contextlib.contextmanager
def _tunnel() -> Iterator[tuple[Lab, HelperProcess, Tunnel]]:
    with (
        Lab(uplinks=("eth0",), web=False) as lab,
        Gateway(lab) as gateway,
        HelperProcess(lab.client, log_level="info") as helper,
    ):
        profile = lab.dir / f"{_PROFILE}.conf"
        profile.write_text(gateway.config(dns=False), encoding="ascii")
        _do(helper, "import", str(profile))
        _do(helper, "connect", _PROFILE, "--wait", "20")
        pair(str(helper.socket))
        (far,) = lab.gateway.pids() - {_holder(lab)}
        yield lab, helper, Tunnel(TUNNEL4, (helper.pid, far))


def _holder(lab: Lab) -> int:
    holder = lab.gateway._holder
    assert holder is not None
    return holder.pid


@contextlib.contextmanager
def _chatter(helper: HelperProcess) -> Iterator[None]:
    """A front end that asks now and then, in every run alike."""
    over = threading.Event()

    def ask() -> None:
        with Channel(str(helper.socket)) as channel:
            while not over.wait(_CHATTER):
                channel.snapshot()

    thread = threading.Thread(target=ask, name="chatter", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _reader(helper: HelperProcess, printed: Path) -> Iterator[Path]:
    """`slopn logs -f`, from the first line that the helper still has."""
    with printed.open("wb") as out:
        process = helper.namespace.popen(
            [str(BIN / "slopn"), "logs", "-f", "--json"], env={"SLOPN_SOCKET": str(helper.socket)}, stdout=out
        )
        try:
            until(lambda: printed.stat().st_size, _PATIENCE, "the reader prints")
            yield printed
        finally:
            process.terminate()
            process.wait()


def _all_of(helper: HelperProcess, printed: Path) -> Read:
    """What was printed, once the newest line of now is."""
    with Channel(str(helper.socket)) as channel:
        logs: Any = channel.ask({"type": "get_logs", "filter": {"level": "debug"}, "since": time.time() - 5.0})
    last = int(logs["lines"][-1]["number"])
    found = until(lambda: _read(printed, last), _PATIENCE, f"line {last} is printed")
    assert found is not None
    return found


def _read(printed: Path, last: int) -> Read | None:
    # The last line may be half written.
    text = printed.read_text(encoding="utf-8").rpartition("\n")[0]
    documents = [json.loads(line) for line in text.splitlines()]
    numbers = [document["number"] for document in documents if "number" in document]
    missed = sum(document.get("missed", 0) for document in documents)
    return Read(numbers, missed, last) if numbers and numbers[-1] >= last else None


def _do(helper: HelperProcess, *arguments: str) -> None:
    done = helper.cli(*arguments)
    if done.returncode:
        raise RuntimeError(f"slopn {' '.join(arguments)} ended with {done.returncode}: {done.stderr}\n{helper.tail()}")


def _gbps(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} – {max(values):.2f}) Gb/s"


def _cost(results: Sequence[Result]) -> str:
    return f"{statistics.median(result.seconds_per_gb or 0.0 for result in results):.2f}"
