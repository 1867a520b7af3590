"""One fault under one mode of the kill switch: what is done, what is counted, and what that says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from leak.world import CONTROL_LEAST, World
from support.capture import Tally
from support.generator import TOLD_APART
from support.until import until

TRIES = 1000
"""Packets that are tried beside each fault, at least."""
SECONDS = 0.8
"""From the fault until it is put right, at least."""


class Mode(StrEnum):
    """Under what a fault is tried."""

    OFF = "off"
    """No kill switch: shows that the fault lets something out, or could."""
    ON = "on"
    ALWAYS = "always"
    PLAIN = "on, plain tables"
    """As `on`, with tables that have no owner: kernels before 6.9."""


OWNED = (Mode.OFF, Mode.ON, Mode.ALWAYS)
EVERY = tuple(Mode)
CLOSED = (Mode.ON, Mode.ALWAYS)

Step = Callable[[World], None]


def nothing(_: World) -> None:
    """No step at all."""


def connected_again(world: World) -> None:
    """The helper mends it, or is started again and does."""
    world.connected_again()


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong on a client, and how it is put right. Names are unique.

    Counted is what gets out from before `act` until `undo` has returned, if that leaves the host closed.
    """

    name: str
    act: Step
    undo: Step = connected_again
    modes: tuple[Mode, ...] = OWNED
    open: Mapping[Mode, str] = field(default_factory=dict)
    """Modes in which the policy table of docs/security.md doesn't call it closed, and why."""
    passes: frozenset[str] = frozenset()
    """Classes of frames that may pass by design; `why` says so."""
    why: str = ""
    begin: Step = World.secure
    """From rest, in the mode, to where the fault strikes."""
    lan: bool = False
    """With `allow_lan`: the LAN may be reached."""
    tidy: Step = nothing
    """After the count: what `undo` may not do because it opens the host."""
    daemon: str | None = None
    """What rules the host's DNS."""
    tries: int = TRIES


@dataclass(frozen=True)
class Row:
    """A line of the report."""

    fault: str
    mode: str
    seconds: float
    tried: int
    control: Mapping[str, int]
    """Frames by class that got out of the open host, before."""
    leaked: Mapping[str, int]
    passed: int
    """Frames that may pass by design."""
    samples: Mapping[str, list[str]]
    verdict: str
    """`closed`, `open`, `LEAK` or `NO CONTROL`."""
    why: str
    """Why it isn't closed, or lets something pass, by design."""

    def as_json(self) -> dict[str, Any]:
        """For the file of results."""
        return asdict(self)


def run(world: World, fault: Fault, mode: Mode) -> Row:
    """Carry the whole case out. Leaves the world at rest; after an exception it is in an unknown state."""
    world.rest()
    control = world.control()
    world.set(kill_switch="on" if mode is Mode.PLAIN else mode.value, allow_lan=fault.lan)
    fault.begin(world)
    if fault.lan:
        world.count_lan()
    world.capture.reset()
    tried, begun = world.tried(), time.monotonic()
    fault.act(world)
    enough = begun + SECONDS
    until(lambda: time.monotonic() >= enough and world.tried() >= tried + fault.tries, 60.0, "the senders go on")
    fault.undo(world)
    seconds, tried = time.monotonic() - begun, world.tried() - tried
    tally = world.capture.reset()
    world.capture.check()
    fault.tidy(world)
    return _judged(fault, mode, control, tally, (seconds, tried))


def _judged(fault: Fault, mode: Mode, control: Tally, tally: Tally, effort: tuple[float, int]) -> Row:
    by_design = fault.open.get(mode)
    leaked = {kind: count for kind, count in tally.leaks.items() if kind not in fault.passes}
    passed = tally.total - sum(leaked.values())
    if any(control.leaks[kind] < CONTROL_LEAST for kind in TOLD_APART):
        verdict = "NO CONTROL"
    elif mode is Mode.OFF:
        # Without the kill switch the fault must let something out, or the zeros of the other modes say nothing of it.
        verdict = "open" if leaked else "NO CONTROL"
    elif by_design:
        verdict = "open" if leaked else "closed"
    else:
        verdict = "LEAK" if leaked else "closed"
    why = by_design or (fault.why if passed else "")
    samples = {kind: tally.samples.get(kind, []) for kind in leaked} if verdict == "LEAK" else {}
    return Row(
        fault.name,
        mode.value,
        round(effort[0], 2),
        effort[1],
        {kind: control.leaks[kind] for kind in sorted(TOLD_APART)},
        leaked,
        passed,
        samples,
        verdict,
        why,
    )
