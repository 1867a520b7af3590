from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.gateway import Keys
from support.netns import Namespace, veth
from support.until import until

_PROGRAM = str(Path(sys.executable).parent / "slopn-engine")
_SHIM = Path(__file__).parent.parent / "support/clock_shim.c"
_DAY = 86_400


@dataclass
class World:
    """A client whose clocks can be shifted, and a server; the client is 10.98.0.1, the server 10.98.0.2."""

    client: Namespace
    clocks: Path

    def shift(self, *, wall: int = 0, suspended: int = 0) -> None:
        """Put the client's wall clock that far off, and have it asleep for so long, both in seconds since the start."""
        with self.clocks.open("r+b") as file:
            file.write(struct.pack("qq", wall, suspended))

    def answered(self) -> bool:
        """Whether the server answers within a few seconds of asking."""
        done = self.client.run("ping -c1 -i0.2 -w15 10.98.0.2", check=False, timeout=60)
        return done.returncode == 0

    def handshake(self) -> int:
        """When the last session was agreed, by the client's wall clock."""
        return int(self.client.run(["wg", "show", "wgclock", "latest-handshakes"]).stdout.split()[1])


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that shifts clocks."""
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, _SHIM], check=True)
    return library


@pytest.fixture
def world(shim: Path, tmp_path: Path) -> Iterator[World]:
    """Both ends with a session."""
    clocks = tmp_path / "clocks"
    clocks.write_bytes(bytes(16))
    keys = [Keys.new(), Keys.new()]
    with contextlib.ExitStack() as stack:
        ends = [stack.enter_context(Namespace(role, private=True)) for role in ("clockc", "clocks")]
        veth(ends[0], "ve0", ends[1], "ve0")
        for number, end in enumerate(ends):
            own, other = number + 1, 2 - number
            env = {"LD_PRELOAD": str(shim), "CLOCK_FILE": str(clocks)} if number == 0 else None
            end.run([_PROGRAM, "wgclock"], env=env)
            end.ip(f"addr add 10.99.0.{own}/24 dev ve0\naddr add 10.98.0.{own}/24 dev wgclock\nlink set wgclock up")
            end.run(
                [
                    "wg",
                    "set",
                    "wgclock",
                    "listen-port",
                    "51820",
                    "private-key",
                    "/dev/stdin",
                    "peer",
                    keys[1 - number].public,
                ]
                + ["allowed-ips", f"10.98.0.{other}/32"]
                + (["endpoint", f"10.99.0.{other}:51820"] if number == 0 else []),
                input=keys[number].private,
            )
        made = World(ends[0], clocks)
        assert made.answered()
        yield made


def test_after_suspend_a_session_is_made_at_once(world: World) -> None:
    """Ten minutes asleep: the session is too old, and the first packets ask for another."""
    before = world.handshake()
    for minutes in (10, 20):
        world.shift(wall=60 * minutes, suspended=60 * minutes)
        renewed = before + 60 * minutes
        until(lambda: world.answered() and world.handshake() >= renewed, 15, "another session")  # noqa: B023 - at once


@pytest.mark.parametrize("wall", [-400 * _DAY, 400 * _DAY], ids=["back", "forward"])
def test_a_wall_clock_that_jumps_ends_nothing(world: World, wall: int) -> None:
    """A session goes on, and the next handshake is taken though its time would be a repeated one by the wall clock."""
    world.shift(wall=wall)
    assert world.answered()
    world.shift(wall=wall, suspended=300)
    # By the clock that has jumped: it is another session than the first.
    now = int(world.client.run("date +%s").stdout) + wall
    until(lambda: world.answered() and abs(world.handshake() - now) < 120, 15, "another session")
