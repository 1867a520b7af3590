"""A computer that starts: what is in force before the helper, and while it starts with a wish."""

from __future__ import annotations

from leak.case import CLOSED, Fault, Mode
from leak.world import World

_NO_RULES = "the rules aren't persistent: open until the helper starts, as docs/security.md says"
_NO_UNIT = "without the unit that blocks at boot (not enabled, or removed) mode always is open until the helper starts"
_FLUSHED = "nobody owns the boot's tables until the helper claims them: root's programs may remove them before"


def booted(world: World) -> None:
    """The wish and the settings are stored, and nothing of ours is in force."""
    world.secure()
    world.helper.terminate()
    world.lab.client.run("nft delete table inet slopn; nft delete table netdev slopn", check=False)


def booted_blocked(world: World) -> None:
    """And the unit that comes before the network has run."""
    booted(world)
    done = world.lab.client.run(world.helper.command("early-block"))
    assert done.stdout.startswith("Blocked before the network is up"), done.stdout


def flushed(world: World) -> None:
    """Another firewall's start-up script."""
    world.lab.client.run("nft flush ruleset")
    world.tell_containers()


def early_twice(world: World) -> None:
    """The unit is started again."""
    world.lab.client.run(world.helper.command("early-block"))


def cable_after_the_block(world: World) -> None:
    """The network comes up after it, as it should."""
    for device in ("eth0", "wlan0"):
        world.lab.pull(device)
        world.lab.plug(device)


def nothing(_: World) -> None:
    """The computer goes on starting."""


FAULTS = [
    Fault(
        "boot: before the helper, and its start",
        nothing,
        begin=booted,
        modes=CLOSED,
        open={Mode.ON: _NO_RULES, Mode.ALWAYS: _NO_UNIT},
    ),
    Fault("boot: early block, and the helper's start", nothing, begin=booted_blocked, modes=(Mode.ALWAYS,)),
    Fault("boot: early block twice", early_twice, begin=booted_blocked, modes=(Mode.ALWAYS,)),
    Fault("boot: early block, then the network", cable_after_the_block, begin=booted_blocked, modes=(Mode.ALWAYS,)),
    Fault(
        "boot: early block, nft flush ruleset",
        flushed,
        begin=booted_blocked,
        modes=(Mode.ALWAYS,),
        open={Mode.ALWAYS: _FLUSHED},
    ),
]
