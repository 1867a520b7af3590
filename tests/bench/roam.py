"""For how long nothing comes back when the network under a tunnel changes: ours, and wg-quick with wireguard-go."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import engines
from bench.wg_quick import WgQuick
from support.echo import EchoStream
from support.gateway import Gateway
from support.helper_process import HelperProcess
from support.topology import ETH0, WEB4, WLAN0, Lab

INTERVAL = 0.005
"""Seconds between two datagrams of the traffic that runs: no gap is measured finer."""
MOVE_TARGET, BACK_TARGET = 0.15, 0.4
"""Seconds without an answer, at most, median: while another way is there, and once there is one again."""
SETTLE = 1.0
"""Seconds of undisturbed traffic after each change: what comes of it late is part of it."""
DARK = 2.0
"""Seconds without any network."""
MTU = 1420
"""Both tunnels', over links of 1,500."""
_WITHIN = 30.0
_PROFILE = "roam"


class Event(NamedTuple):
    """Something that happens to the host's network, and how it is put right."""

    name: str
    act: Callable[[Lab], None]
    undo: Callable[[Lab], None]
    target: float = MOVE_TARGET
    dark: float = 0.0
    """Seconds that it lasts before it is put right; the gap is then counted from there."""


def _each(*devices: str, plug: bool) -> Callable[[Lab], None]:
    def move(lab: Lab) -> None:
        for device in devices:
            (lab.plug if plug else lab.pull)(device)

    return move


def _client(batch: str) -> Callable[[Lab], None]:
    return lambda lab: lab.client.ip(batch)


def _lease(old: str, new: str) -> Callable[[Lab], None]:
    """Another address on the same network, as a DHCP client sets it: the new one first, then the routes come again."""
    return _client(f"""
        addr add {new}/24 dev eth0
        addr del {old}/24 dev eth0
        addr replace {new}/24 dev eth0
        route replace default via {ETH0.router4} dev eth0 metric {ETH0.metric}
    """)


EVENTS = (
    Event("carrier loss", _each("eth0", plug=False), _each("eth0", plug=True)),
    Event(
        "route switch",
        _client(f"""
            route add default via {WLAN0.router4} dev wlan0 metric 1
            route add default via {WLAN0.router6} dev wlan0 metric 1
        """),
        _client(f"""
            route del default via {WLAN0.router4} dev wlan0 metric 1
            route del default via {WLAN0.router6} dev wlan0 metric 1
        """),
    ),
    Event("new address", _lease(ETH0.client4, "10.1.0.77"), _lease("10.1.0.77", ETH0.client4)),
    Event(
        "both uplinks back",
        _each("eth0", "wlan0", plug=False),
        _each("eth0", "wlan0", plug=True),
        BACK_TARGET,
        DARK,
    ),
)

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
        met = "yes" if statistics.median(gaps[names[0], event.name]) <= event.target else "no"
        rows.append([event.name, *shown, f"{1e3 * event.target:g}", met])
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
