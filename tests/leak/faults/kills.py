"""The helper is killed after each of its effects, from its start with a wish on to a reconnect."""

from __future__ import annotations

import contextlib

from leak.case import Fault, Mode, Step
from leak.world import World
from support.until import until

EFFECTS, START = 14, 10
"""Of a start with a wish, which undoes what was left and connects, and of the reconnect that follows; of the start alone."""


def killed_after(number: int) -> Step:
    """One that is dead already is followed by one that dies after its effect `number`."""

    def run(world: World) -> None:
        world.helper.kill()
        world.helper.spawn_to_be_killed(number)

        def dead() -> bool:
            if world.helper.alive and world.helper.socket.exists():
                # It may die at any moment, so no answer is expected.
                with contextlib.suppress(Exception):
                    if world.status()["state"] == "connected":
                        world.do("reconnect")
            return not world.helper.alive

        until(dead, 40.0, f"the helper has died after its effect {number}")

    return run


def killed_after_each(world: World) -> None:
    """Those of the start in turn, without a healthy one in between."""
    for number in range(START):
        killed_after(number)(world)


FAULTS = [
    *(
        Fault(f"helper: SIGKILL after effect {number + 1}", killed_after(number), modes=(Mode.ON,))
        for number in range(EFFECTS)
    ),
    Fault("helper: SIGKILL after each effect of its start, in a row", killed_after_each, modes=(Mode.ALWAYS,)),
]
