"""Which moments are tried: all effects and many steps, over all mechanisms and modes. Pure, but for one life to count them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kills import lives
from kills.deaths import EFFECT, STEP
from kills.lives import MODES, Kill
from kills.power import MISSING
from kills.world import World

CHOSEN = {
    "resolv_conf": "resolv_conf",
    "resolved": "resolved",
    "networkmanager": "networkmanager",
    "openresolv": "resolvconf",
    "debian": "resolvconf",
}
"""What the helper must say that it uses on each host."""


@dataclass(frozen=True)
class Lengths:
    """Moments in a whole life, in a start after a crash, in a `restore` after one."""

    effects: int
    steps: int
    start: int
    restore: int
    kinds: frozenset[str]
    """Effects' names."""
    power: tuple[str, ...]
    """What `Power` says of these lives."""

    def lost(self) -> list[str]:
        """What a power cut would have taken away that is needed."""
        return sorted({line for line in self.power if line.startswith(MISSING)})


@dataclass(frozen=True)
class Amount:
    """How many moments of each sort are tried on one host in one mode; None: all."""

    effects: int | None
    steps: int | None
    start: int | None
    restore: int | None
    reboot: int | None
    reboot_start: int | None


SAMPLE = Amount(4, 3, 1, 1, 1, 1)
USUAL = Amount(22, 8, 4, 4, 3, 1)
ALL = Amount(None, None, None, None, None, None)

Try = Callable[[World, str, int], Kill]


def measure(world: World, mode: str) -> Lengths:
    """Live once without dying, and see how long that is."""
    world.fresh(kill_switch=mode)
    assert lives.connected_life(world, None) == 0, world.said()
    assert f"-> {CHOSEN[world.mechanism]}\n" in world.said(), world.said()
    whole, power = world.moments(), world.power()
    assert world.restored() == []
    power += world.power()
    world.fresh(kill_switch=mode)
    lives.connect(world)
    lives.start_again(world)
    start = _steps(world.moments())
    assert world.restored() == []
    power += world.power()
    restore = _steps(world.moments())
    assert world.left() == [], "the positive control of everything else"
    effects = [moment.split()[1] for moment in whole if moment.startswith(EFFECT)]
    return Lengths(len(effects), _steps(whole), start, restore, frozenset(effects), tuple(power))


def tries(lengths: Lengths, amount: Amount, mode: str) -> Iterator[tuple[Try, int]]:
    """What to do on one host in one mode. Other modes try other moments."""
    for attempt, many, length in (
        (lives.by_effect, amount.effects, lengths.effects),
        (lives.by_step, amount.steps, lengths.steps),
        (lives.at_start, amount.start, lengths.start),
        (lives.in_restore, amount.restore, lengths.restore),
        (lives.then_reboot, amount.reboot, lengths.steps),
        (lives.reboot_and_start, amount.reboot_start, lengths.start),
    ):
        for number in spread(length, many, MODES.index(mode), len(MODES)):
            yield attempt, number


def spread(length: int, many: int | None, series: int, of: int) -> list[int]:
    """`many` of the numbers from 1 to `length`, evenly; each of the `of` series has its own. None: all of them."""
    if many is None or many >= length:
        return list(range(1, length + 1))
    return [1 + (index * of + series) * length // (many * of) for index in range(many)]


def _steps(moments: list[str]) -> int:
    return sum(moment.startswith(STEP) for moment in moments)
