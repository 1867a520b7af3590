"""For how long nothing comes back when the network under a tunnel changes: ours, and wg-quick with wireguard-go."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import engines
from bench.wg_quick import WgQuick
from support.echo import EchoStream
from support.gateway import Gateway
from support.helper_process import HelperProcess
from support.roaming import EVENTS, Event
from support.topology import WEB4, Lab

INTERVAL = 0.005
"""Seconds between two datagrams of the traffic that runs: no gap is measured finer."""
MOVE_TARGET, BACK_TARGET = 0.15, 0.4
"""Seconds without an answer, at most, median: while another way is there, and once there is one again."""
SETTLE = 1.0
"""Seconds of undisturbed traffic after each change: what comes of it late is part of it."""
MTU = 1420
"""Both tunnels', over links of 1,500."""
_WITHIN = 30.0
_PROFILE = "roam"


Gaps = Mapping[tuple[str, str], Sequence[float]]
"""Seconds, by engine and event."""


class Client:
    """A lab with a connected client, and the traffic that runs through its tunnel."""

    def __init__(self, name: str, lab: Lab, echo: EchoStream) -> None:
        self.name = name
        self._lab = lab
        self._echo = echo

    def gap(self, event: Event) -> float:
        """Seconds without an answer because of `event`, which is put right before this returns."""
        begun = time.monotonic()
        event.act(self._lab)
        if event.dark:
            # Counted from the first command that gives it a network again.
            time.sleep(event.dark)
            begun = time.monotonic()
            event.undo(self._lab)
        self._settle()
        gap = self._echo.longest_gap(begun)
        if not event.dark:
            event.undo(self._lab)
            self._settle()
        return gap

    def _settle(self) -> None:
        """Answers have come for a while; the event's own commands have returned by now."""
        self._echo.wait_answer(time.monotonic(), _WITHIN, f"{self.name}: answers come again")
        time.sleep(SETTLE)


def measure(rounds: int) -> dict[tuple[str, str], list[float]]:
    """Each event `rounds` times for each engine, alternated."""
    gaps: dict[tuple[str, str], list[float]] = {}
    with ours() as first, wireguard_go() as second:
        for number in range(rounds):
            for event in EVENTS:
                for client in (first, second) if number % 2 == 0 else (second, first):
                    gaps.setdefault((client.name, event.name), []).append(client.gap(event))
    return gaps


@contextlib.contextmanager
def ours(log_level: str = "info") -> Iterator[Client]:
    """The whole helper, kill switch on, as a person has it."""
    with _world() as (lab, gateway), HelperProcess(lab.client, log_level=log_level) as helper:
        for command in (("import", str(_write(lab.dir, gateway))), ("connect", _PROFILE, "--wait", "20")):
            done = helper.cli(*command)
            if done.returncode:
                raise RuntimeError(f"slopn {' '.join(command)}: {done.stderr}\n{helper.tail()}")
        with _traffic(engines.OURS, lab) as client:
            yield client


@contextlib.contextmanager
def wireguard_go() -> Iterator[Client]:
    """wg-quick(8) with wireguard-go."""
    with _world() as (lab, gateway):
        engine, quick = engines.wireguard_go(), WgQuick(lab.dir)
        quick.configure(lab.client, _PROFILE, _write(lab.dir, gateway).read_text(encoding="ascii"))
        quick.run(lab.client, engine, "up", _PROFILE)
        with _traffic(engines.WIREGUARD_GO, lab) as client:
            yield client
        quick.run(lab.client, engine, "down", _PROFILE)


def target(event: Event) -> float:
    """Seconds without an answer, at most."""
    return BACK_TARGET if event.dark else MOVE_TARGET


def render(gaps: Gaps) -> str:
    """A Markdown table: median and longest gap in ms of each event, and whether ours keeps to its target."""
    names = list(dict.fromkeys(name for name, _ in gaps))
    head = ["event", *(f"{name}, median / longest ms" for name in names), "target ms", "met by the median"]
    rows = [head, ["---"] + ["---:"] * (len(names) + 1) + ["---"]]
    for event in EVENTS:
        if not all((name, event.name) in gaps for name in names):
            continue
        shown = [
            f"{1e3 * statistics.median(gaps[name, event.name]):.0f} / {1e3 * max(gaps[name, event.name]):.0f}"
            for name in names
        ]
        met = "yes" if statistics.median(gaps[names[0], event.name]) <= target(event) else "no"
        rows.append([event.name, *shown, f"{1e3 * target(event):g}", met])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@contextlib.contextmanager
def _world() -> Iterator[tuple[Lab, Gateway]]:
    with Lab() as lab, Gateway(lab) as gateway:
        yield lab, gateway


@contextlib.contextmanager
def _traffic(name: str, lab: Lab) -> Iterator[Client]:
    with EchoStream(lab.client, WEB4, interval=INTERVAL) as echo:
        echo.wait_answer(time.monotonic(), _WITHIN, f"{name}: the tunnel carries traffic")
        yield Client(name, lab, echo)


def _write(folder: Path, gateway: Gateway) -> Path:
    path = folder / f"{_PROFILE}.conf"
    path.write_text(gateway.config(dns=False).replace("[Peer]", f"MTU = {MTU}\n\n[Peer]"), encoding="ascii")
    return path
