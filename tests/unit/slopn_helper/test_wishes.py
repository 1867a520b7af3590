"""A wish is on disk before it holds, but the way out doesn't hang on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from slopn_helper.store import Store, StoreError, Wish
from slopn_wire.commands import Connect, Disconnect, Pause, Unlock
from slopn_wire.events import Done, ErrorKind
from slopn_wire.settings import KillSwitchMode
from slopn_wire.state import TargetState
from support.house import House

WHY = "wish.json could not be written: No space left on device"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """With a profile, connected."""
    house = House(tmp_path)
    house.import_()
    house.ask(Connect("lab"))
    return house


@pytest.fixture
def full(house: House, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """From now on nothing can be saved."""
    house.settle()
    assert house.hub.snapshot().health == ()
    _fill(monkeypatch)
    return monkeypatch


def _codes(house: House) -> list[str]:
    return [found.code for found in house.hub.snapshot().health]


def test_the_way_out_does_not_hang_on_a_disk(house: House, full: pytest.MonkeyPatch) -> None:
    """Carried out, told to whoever asked and in the health list, until a wish is saved again."""
    answer = house.ask(Disconnect())
    assert isinstance(answer, Done)
    assert WHY in answer.notes[0]
    assert house.posted[-1] == Disconnect()
    assert house.control.wish == Wish(TargetState.UNSECURED, "lab")
    assert house.hub.snapshot().target is TargetState.UNSECURED
    assert _codes(house) == ["wish_unsaved"]
    full.undo()
    assert house.ask(Disconnect()) == Done()
    assert house.store.load().wish == Wish(TargetState.UNSECURED, "lab")
    assert _codes(house) == []


@pytest.mark.usefixtures("full")
def test_a_way_in_does(house: House) -> None:
    """A connection that a restart would forget isn't begun, and neither is a pause."""
    assert WHY in house.refused(Pause(60), ErrorKind.FAILED)
    assert WHY in house.refused(Connect("lab"), ErrorKind.FAILED)
    assert house.control.wish == Wish(TargetState.SECURED, "lab")


def test_unlocking_does_not_hang_on_a_disk_either(house: House, full: pytest.MonkeyPatch) -> None:
    """The host is open now; that the next start may close it is told."""
    full.undo()
    house.set_kill_switch(KillSwitchMode.ALWAYS)
    _fill(full)
    answer = house.ask(Unlock())
    assert isinstance(answer, Done)
    assert len(answer.notes) == 2
    assert house.control.settings.kill_switch is KillSwitchMode.ON
    assert house.applied[-1].kill_switch is KillSwitchMode.ON
    assert sorted(_codes(house)) == ["settings_unsaved", "wish_unsaved"]


def _fill(patch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError(WHY)

    patch.setattr(Store, "save_wish", refuse)
    patch.setattr(Store, "save_settings", refuse)
