"""A pause and its ends, and the way out of a closed host."""

from __future__ import annotations

from pathlib import Path

import pytest

from slopn_helper.control import Control
from slopn_helper.hub import Hub
from slopn_helper.store import Wish
from slopn_helper.tunnel.inputs import Pause as PauseFrom
from slopn_wire.commands import (
    ApplySettings,
    Command,
    Connect,
    Disconnect,
    Pause,
    Reconnect,
    RemoveProfile,
    Unlock,
)
from slopn_wire.events import Done
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import TargetState
from support.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty one."""
    return House(tmp_path)


def test_a_pause_has_an_end(house: House) -> None:
    """Stored with it, told to everyone and to the tunnel; the profile is still in use."""
    assert "nothing" in house.refused(Pause(300)).lower()
    house.import_()
    house.ask(Connect("lab"))
    assert house.ask(Pause(300)) == Done()
    assert house.posted[-1] == PauseFrom("lab")
    assert house.store.load().wish == Wish(TargetState.PAUSED, "lab", 1300.0, "monday")
    snapshot = house.hub.snapshot()
    assert (snapshot.target, snapshot.paused_until) == (TargetState.PAUSED, 1300.0)
    assert house.control.pause_left() == pytest.approx(300, abs=30)
    assert "in use" in house.refused(RemoveProfile("lab"))


@pytest.mark.parametrize("seconds", [0, -1, 24 * 3600 + 1])
def test_a_pause_of_no_length_or_without_an_end(house: House, seconds: int) -> None:
    """It wouldn't be a pause."""
    house.import_()
    house.ask(Connect("lab"))
    assert str(seconds) in house.refused(Pause(seconds))


def test_a_pause_that_ran_out(house: House) -> None:
    """It is a wish for a tunnel: in the snapshot at once, and after a restart."""
    house.import_()
    house.ask(Connect("lab"))
    house.ask(Pause(300))
    house.control.pause_over()
    assert house.hub.snapshot().target is TargetState.PAUSED
    house.now += 300
    house.control.pause_over()
    assert (house.hub.snapshot().target, house.hub.snapshot().paused_until) == (TargetState.SECURED, None)
    again = Control(Hub(), house.store, house.store.load(), lambda: house.now, boot="monday")
    assert again.wish == Wish(TargetState.SECURED, "lab")


def test_a_pause_ends_with_the_computers_run(house: House) -> None:
    """It is kept through a restart of the helper, not of the computer: the kill switch's table says so."""
    house.import_()
    house.ask(Connect("lab"))
    house.ask(Pause(300))
    for boot, target in (("monday", TargetState.PAUSED), ("tuesday", TargetState.SECURED)):
        again = Control(Hub(), house.store, house.store.load(), lambda: house.now, boot=boot)
        assert again.wish.target is target


@pytest.mark.parametrize("command", [Connect("lab"), Reconnect()])
def test_a_pause_that_the_user_ends(house: House, command: Command) -> None:
    """Either word means: now."""
    house.import_()
    house.ask(Connect("lab"))
    house.ask(Pause(300))
    assert house.ask(command) == Done()
    assert house.control.wish == Wish(TargetState.SECURED, "lab")
    assert house.control.pause_left() == 0.0


@pytest.mark.parametrize(
    ("mode", "after"),
    [(KillSwitchMode.ALWAYS, "on"), (KillSwitchMode.ON, "on"), (KillSwitchMode.OFF, "off")],
)
def test_unlock(house: House, mode: KillSwitchMode, after: str) -> None:
    """No tunnel is wanted any more, and no mode closes a host that wants none; otherwise the mode stays."""
    house.import_()
    house.ask(ApplySettings(Settings(kill_switch=mode)))
    house.ask(Connect("lab"))
    assert house.ask(Unlock()) == Done()
    assert house.posted[-1] == Disconnect()
    assert house.store.load().wish.target is TargetState.UNSECURED
    assert house.store.load().settings.kill_switch == house.applied[-1].kill_switch == after
