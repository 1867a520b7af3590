from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper.host.firewall import Blocked, FirewallError, Open, Tunnelled
from slopn_helper.host.firewall.wfp.filters import Action, Filter, Layer, Lifetime, Seen, seen
from slopn_helper.host.firewall.wfp.firewall import INVERSE, WfpFirewall, undo
from slopn_helper.host.journal import Journal

TUNNELLED = Tunnelled(allow_lan=False, endpoints=(), interface="slopn0", dns=(ip_address("10.9.0.1"),))


class FakePlatform:
    """Holds what it is given, and can be told to lose some of it, or to refuse."""

    def __init__(self) -> None:
        self.held: tuple[Filter, ...] = ()
        self.swaps = 0
        self.loses = 0
        self.refuses = False
        self.tunnel: int | None = 7

    def replace(self, filters: Sequence[Filter]) -> None:
        """All or nothing."""
        if self.refuses:
            raise FirewallError("no")
        self.swaps += 1
        self.held = tuple(filters)

    def present(self) -> frozenset[Seen]:
        """Without filters of the boot, of which Windows need not tell."""
        return frozenset(seen(f) for f in self.held[self.loses :] if f.lifetime is not Lifetime.BOOT)

    def identity(self, program: str) -> bytes:
        """Lower case, as Windows has it."""
        return program.lower().encode("utf-16-le")

    def luid(self, interface: str) -> int:
        """Of the one interface that there may be."""
        if self.tunnel is None:
            raise FirewallError(f"looking for the interface {interface}: not found")
        return self.tunnel


class World:
    """A firewall over the fake; its calls block."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal", "boot")
        self.platform = FakePlatform()
        self.firewall = WfpFirewall(self.journal, self.platform, "C:\\slopn-helper.exe")

    def apply(self, policy: Open | Blocked | Tunnelled, *, persist: bool = False) -> None:
        """`Firewall.apply`."""
        asyncio.run(self.firewall.apply(policy, persist=persist))

    def drift(self) -> str | None:
        """`Firewall.drift`."""
        return asyncio.run(self.firewall.drift())


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A host that is open."""
    return World(tmp_path)


def test_the_inverse_is_on_disk_before_the_host_is_closed(world: World) -> None:
    """Also where Windows then refuses; and it goes when the host is open again."""
    world.platform.refuses = True
    with pytest.raises(FirewallError):
        world.apply(Blocked())
    assert world.journal.entries() == (INVERSE,)
    world.platform.refuses = False
    world.apply(Blocked())
    world.apply(Open())
    assert world.journal.entries() == ()
    assert world.platform.held == ()


def test_the_inverse_outlives_a_boot(world: World, tmp_path: Path) -> None:
    """As filters of mode always do."""
    world.apply(Blocked(), persist=True)
    assert Journal(tmp_path / "journal", "next boot").entries() == (INVERSE,)


def test_what_is_in_force_is_no_drift(world: World) -> None:
    """In either mode; of a boot's filters nothing need be told."""
    assert world.drift() is None
    for persist in (False, True):
        world.apply(TUNNELLED, persist=persist)
        assert world.drift() is None


def test_what_others_have_changed_is_drift(world: World) -> None:
    """A filter that has gone, one too many, and what an earlier process left."""
    world.apply(Blocked())
    world.platform.held = world.platform.held[1:]
    assert str(world.drift()).startswith("missing: connect_4 15 permit (loopback)")
    world.apply(Open())
    world.platform.held = (Filter(Layer.CONNECT_4, 0, Action.BLOCK, "old"),)
    assert str(world.drift()).startswith("left over: the filter ")


def test_a_tunnel_that_was_made_anew_is_drift(world: World) -> None:
    """The filters know its old LUID; while it is gone they can't be compared at all."""
    world.apply(TUNNELLED)
    world.platform.tunnel = 8
    assert "missing: connect_4" in str(world.drift())
    world.platform.tunnel = None
    assert "not found" in str(world.drift())


def test_what_windows_lost_is_put_back_as_it_was(world: World) -> None:
    """The policy before stays in force, and the caller hears of it."""
    world.apply(Blocked())
    before = world.platform.held
    world.platform.loses = 1
    with pytest.raises(FirewallError, match="other filters than it was given"):
        world.apply(TUNNELLED)
    assert world.platform.held == before
    world.platform.loses = 0
    assert world.drift() is None


def test_without_its_interface_a_policy_is_refused(world: World) -> None:
    """And what was in force stays."""
    world.apply(Blocked())
    world.platform.tunnel = None
    with pytest.raises(FirewallError, match="slopn0"):
        world.apply(TUNNELLED)
    assert world.platform.swaps == 1
    assert world.drift() is None


def test_undo_opens_whoever_closed(world: World) -> None:
    """Without a word of what was applied."""
    world.apply(Blocked(), persist=True)
    undo(world.platform)
    assert world.platform.held == ()
