"""Disks that are full or can't be written: nothing is half done, nothing is lost, the user is told, and it heals by itself."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kills.world import MECHANISMS, World
from support.until import until

pytestmark = pytest.mark.root

PROFILES = {"both", "four", "six", "split"}
SOME = [
    mechanism if mechanism == "resolv_conf" else pytest.param(mechanism, marks=pytest.mark.long)
    for mechanism in MECHANISMS
]


@dataclass
class Disk:
    """The state directory's, a small one of its own; `spoil` it and `mend` it."""

    world: World
    how: str

    def __post_init__(self) -> None:
        state = self.world.state_dir
        self.world.client.run(f"""
            rm -rf /run/kept; cp -a {state} /run/kept
            mount -t tmpfs -o size=600k,mode=700 tmpfs {state}
            cp -a /run/kept/. {state}/
        """)

    def spoil(self) -> None:
        """No byte more."""
        state = self.world.state_dir
        if self.how == "full":
            self.world.client.run(f"cat /dev/zero > {state}/fill || true")
        else:
            self.world.client.run(f"mount --bind {state} {state}; mount -o remount,bind,ro {state}")

    def mend(self) -> None:
        """As it was."""
        state = self.world.state_dir
        self.world.client.run(f"rm {state}/fill" if self.how == "full" else f"umount {state}")


SAYS = {
    "full": "No space left on device; make room on that disk and try again",
    "read-only": "Read-only file system; make that disk writable and try again",
}


@contextlib.contextmanager
def helper(world: World) -> Iterator[int]:
    """One that must live to the end of the block."""
    pid = world.bear()
    try:
        world.front_end.reach(lambda: True)
        yield pid
        assert "Traceback" not in world.said()
    finally:
        world.front_end.close()
        os.kill(pid, signal.SIGKILL)
        world.wait(pid)


def changed(world: World) -> set[str]:
    """The headings under which the host isn't as it was."""
    return {line.partition(":")[0] for line in world.changed()}


def held_back(world: World) -> Callable[[], dict[str, Any] | None]:
    """The state, if it is an error or a wait for the next try, and traffic is held back meanwhile."""

    def look() -> dict[str, Any] | None:
        found = world.front_end.ask("get_snapshot")
        cause = found["state"].get("cause")
        return found if cause == "host" and found["policy"] == "blocked" and changed(world) == {"nft ruleset"} else None

    return look


@pytest.mark.parametrize("how", list(SAYS))
@pytest.mark.parametrize("mechanism", SOME)
def test_a_bad_disk(mechanism: str, how: str) -> None:
    """Commands that must be stored are refused, a tunnel that can't be undone isn't made, and room again is enough."""
    with World(mechanism) as world:
        world.fresh(kill_switch="on")
        disk = Disk(world, how)
        user = world.front_end
        with helper(world):
            disk.spoil()
            for kind, about in (
                ("connect", {"profile": "both"}),
                ("apply_settings", {"settings": {**user.ask("get_snapshot")["settings"], "kill_switch": "always"}}),
                ("import_profile", {"name": "x", "text": world.gateway.config(), "filename": "x", "replace": True}),
            ):
                assert SAYS[how] in user.refused(kind, **about)
            assert user.ask("get_snapshot")["state"]["type"] == "disconnected"
            assert world.changed() == []
            disk.mend()
            user.ask("connect", profile="both")
            user.wait("connected", "both")
            disk.spoil()
            user.ask("reconnect")
            until(held_back(world), 20.0, "the tunnel isn't made, and nothing but the block is left of it")
            assert SAYS[how] in world.said()
            disk.mend()
            user.wait("connected", "both")
            assert user.ask("get_snapshot")["policy"] == "tunnelled"
            disk.spoil()
        said = world.restored()
        assert world.left() == []
        assert not said or SAYS[how] in said[0]
        disk.mend()
        assert world.restored() == []
        assert world.left() == []
        with helper(world):
            found = user.ask("get_snapshot")
            assert {profile["name"] for profile in found["profiles"]} == PROFILES
            assert found["target"] == "unsecured"
            assert found["health"] == []
        world.client.run(f"umount {world.state_dir}")


def test_a_start_on_a_full_disk() -> None:
    """A host that shall always be closed is closed, though no inverse of that can be stored; `restore` opens it."""
    with World("resolv_conf") as world:
        world.fresh(kill_switch="always")
        disk = Disk(world, "full")
        disk.spoil()
        with helper(world):
            until(lambda: world.front_end.ask("get_snapshot")["policy"] == "blocked", 10.0, "it is closed")
            assert changed(world) == {"nft ruleset"}
            assert SAYS["full"] in world.said()
        assert changed(world) == {"nft ruleset"}
        world.restored()
        assert world.left() == []


@pytest.mark.parametrize("mechanism", SOME)
def test_etc_that_cannot_be_written(mechanism: str) -> None:
    """No tunnel without DNS where that is in /etc: held back, told, healed once it can be written; where it isn't, a tunnel."""
    with World(mechanism) as world:
        world.fresh(kill_switch="on")
        user = world.front_end
        with helper(world):
            world.client.run("mount --bind /etc /etc; mount -o remount,bind,ro /etc")
            user.ask("connect", profile="both")
            if mechanism in {"resolved", "debian"}:
                # They keep what they are told in /run; the file in /etc is a link there.
                user.wait("connected", "both")
            else:
                until(held_back(world), 20.0, "the tunnel isn't made, and nothing but the block is left of it")
                assert "Read-only file system" in world.said()
            world.client.run("umount /etc")
            user.wait("connected", "both")
            user.ask("disconnect")
            user.wait("disconnected")
            until(lambda: world.left() == [], 10.0, "the host is as it was")
        assert world.restored() == []
        assert world.left() == []
