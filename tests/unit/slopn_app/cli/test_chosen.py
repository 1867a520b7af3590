from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slopn_app.cli import chosen
from slopn_app.cli.chosen import ChosenPairing
from slopn_app.trouble import Trouble
from slopn_wire.devices import Device, Right
from support.fake_helper import FakeHelper

VIEW = ("view",)
ALL = tuple(right.value for right in Right)


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHelper]:
    """A helper that wants a number, and a user who repeats it."""
    with FakeHelper(tmp_path / "strange", posing=True) as helper:
        monkeypatch.setenv("SLOPN_SOCKET", helper.path)

        def ask(_: object) -> str:
            return str(re.findall(r"\d{6}", helper.gatekeeper.shown[-1])[-1])

        monkeypatch.setattr(chosen, "ask_number", ask)
        yield helper


def devices(helper: FakeHelper) -> tuple[Device, ...]:
    """As its registry has them."""
    return helper.run(lambda: helper.hub.devices)


def test_name_and_rights_are_the_users(strange: FakeHelper) -> None:
    """The helper knows the program as it was called, and allows no more than was asked for."""
    pairing = ChosenPairing("backup", VIEW)
    assert pairing.device() is None
    made = pairing.once()
    (device,) = devices(strange)
    assert (device.id, device.name, device.rights) == (made, "backup", (Right.VIEW,))
    assert pairing.device() == made


def test_once_is_enough(strange: FakeHelper) -> None:
    """A second time nothing happens, whatever is wished."""
    first = ChosenPairing(None, ALL).once()
    assert ChosenPairing("other", VIEW).once() == first
    assert [device.name for device in devices(strange)] == ["command line"]


def test_again_ends_what_was_before(strange: FakeHelper) -> None:
    """One pairing remains, the new one."""
    first = ChosenPairing(None, ALL).once()
    second, problem = ChosenPairing("backup", VIEW).again()
    assert problem == ""
    assert second != first
    assert [(device.id, device.rights) for device in devices(strange)] == [(second, (Right.VIEW,))]


def test_again_without_the_right_to_end_the_old_one(strange: FakeHelper) -> None:
    """The new pairing holds; that the old one does, too, is said."""
    first = ChosenPairing(None, VIEW).once()
    second, problem = ChosenPairing(None, ALL).again()
    assert f"slopn devices revoke {first}" in problem
    assert {device.id for device in devices(strange)} == {first, second}


@pytest.mark.parametrize("act", [lambda pairing: pairing.again()[0], lambda pairing: pairing.once()])
def test_a_revoked_pairing_is_no_obstacle(strange: FakeHelper, act: Callable[[ChosenPairing], str]) -> None:
    """A certificate that counts no more makes room for a new one."""
    first = ChosenPairing(None, ALL).once()
    strange.run(lambda: strange.gatekeeper.book.change_now(lambda registry: registry.revoke(first or "")))
    assert act(ChosenPairing("anew", VIEW)) != first
    assert [device.name for device in devices(strange)] == ["anew"]


def test_without_a_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble, as everywhere."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    with pytest.raises(Trouble, match="isn't running"):
        ChosenPairing(None, ALL).device()
