"""The lives that helpers lead until they die, and the ways in which the host comes back after that."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from kills.deaths import EFFECT, STEP
from kills.front_end import Died
from kills.world import World

Moment = tuple[str, int]
MODES = ("off", "on", "always")


@dataclass
class Kill:
    """One death and what came of it."""

    mechanism: str
    mode: str
    way: str
    after: str
    """What the one that died had done last."""
    kills: int
    dirty: int
    """Things that were not as before when it was dead."""
    left: list[str] = field(default_factory=list)
    """Things that were not as before when `restore` was done."""


def connected_life(world: World, at: Moment | None) -> int:
    """Everything that a tunnel goes through: up, other profiles, other settings, again, down, the end. The exit status."""
    pid = world.bear("client", at)
    user = world.front_end
    try:
        user.reach(lambda: _lives(pid))
        user.ask("connect", profile="both")
        user.wait("connected", "both")
        user.ask("connect", profile="six")
        user.wait("connected", "six")
        user.set(allow_lan=True, exclude=["192.0.2.128/25"])
        user.ask("connect", profile="split")
        user.wait("connected", "split")
        user.ask("connect", profile="four")
        user.wait("connected", "four")
        user.set(kill_switch="on")
        user.ask("disconnect")
        user.wait("disconnected")
        user.ask("connect", profile="both")
        user.wait("connected", "both")
        os.kill(pid, signal.SIGTERM)
    except Died:
        pass
    return _end(world, pid)


def connect(world: World, at: Moment | None = None, profile: str = "both") -> int:
    """A life that ends by SIGKILL while connected, or at the moment given. The exit status."""
    pid = world.bear("client", at)
    try:
        world.front_end.reach(lambda: _lives(pid))
        world.front_end.ask("connect", profile=profile)
        world.front_end.wait("connected", profile)
        os.kill(pid, signal.SIGKILL)
    except Died:
        pass
    return _end(world, pid)


def start_again(world: World, at: Moment | None = None) -> int:
    """The next helper finds what the dead one has left, connects by itself, and dies as well."""
    pid = world.bear("client", at)
    try:
        world.front_end.reach(lambda: _lives(pid))
        world.front_end.wait("connected")
        os.kill(pid, signal.SIGKILL)
    except Died:
        pass
    return _end(world, pid)


def restore(world: World, at: Moment | None) -> int:
    """A `restore` that dies. The exit status."""
    return world.wait(world.bear("restore", at))


def by_effect(world: World, mode: str, number: int) -> Kill:
    """Dead after one of its effects."""
    return _killed(world, mode, "after an effect", lambda: connected_life(world, (EFFECT, number)))


def by_step(world: World, mode: str, number: int) -> Kill:
    """Dead between two steps within an effect."""
    return _killed(world, mode, "between two steps", lambda: connected_life(world, (STEP, number)))


def at_start(world: World, mode: str, number: int) -> Kill:
    """Dead while connected, and the next one while it recovers."""
    return _killed(
        world, mode, "while it starts after a crash",
        lambda: connect(world), lambda: start_again(world, (STEP, number)),
    )  # fmt: skip


def in_restore(world: World, mode: str, number: int) -> Kill:
    """Dead while connected, and `restore` in its middle."""
    return _killed(
        world, mode, "and `restore` in its middle",
        lambda: connect(world), lambda: restore(world, (STEP, number)),
    )  # fmt: skip


def then_reboot(world: World, mode: str, number: int) -> Kill:
    """Dead at any step, and the computer with it."""
    return _killed(
        world, mode, "with the computer",
        lambda: connected_life(world, (STEP, number)), lambda: _reboot(world),
    )  # fmt: skip


def reboot_and_start(world: World, mode: str, number: int) -> Kill:
    """The computer dies while connected; after the boot the helper connects by itself and dies as well."""
    return _killed(
        world, mode, "with the computer, and after the boot",
        lambda: connect(world), lambda: _reboot(world), lambda: start_again(world, (STEP, number)),
    )  # fmt: skip


def _killed(world: World, mode: str, way: str, *deaths: Callable[[], int]) -> Kill:
    world.fresh(kill_switch=mode)
    kills, after = 0, ""
    for death in deaths:
        status = death()
        kills += status == -signal.SIGKILL
        after = world.moments()[-1] if world.moments() else "nothing"
        assert status in {-signal.SIGKILL, 0}, f"a helper ended with {status}: {world.said()}"
    kill = Kill(world.mechanism, mode, way, after, kills, len(world.changed()))
    refused = world.restored()
    kill.left = [*refused, *world.left()]
    return kill


def _reboot(world: World) -> int:
    world.reboot()
    return 0


def _lives(pid: int) -> bool:
    """It isn't waited for yet: a dead one is a zombie."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123 (often)
        return file.read().rpartition(")")[2].split()[0] != "Z"


def _end(world: World, pid: int) -> int:
    world.front_end.close()
    return world.wait(pid)
