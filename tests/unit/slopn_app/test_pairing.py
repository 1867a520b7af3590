from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slopn_app.trouble import NOT_PAIRED, UNREACHABLE, Trouble
from slopn_wire.commands import Pair
from slopn_wire.events import Done, Paired
from support.fake_helper import FakeHelper
from support.front_end import TIMEOUT, FrontEnd, authority_of, devices, revoke


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[FakeHelper]:
    """Nobody is paired with it yet."""
    with FakeHelper(tmp_path / "fresh") as running:
        yield running


def test_root_is_paired_in_silence_and_once(helper: FakeHelper) -> None:
    """The first question is answered already; the next program uses the same certificate, also without a keyring."""
    assert FrontEnd(helper.path).ask()["type"] == "snapshot"
    assert FrontEnd(helper.path).ask()["type"] == "snapshot"
    assert devices(helper) == ["command line"]


def test_each_front_end_is_one_of_its_own(helper: FakeHelper) -> None:
    """The tray can be revoked and the command line stays."""
    for name in ("cli", "tray", "window"):
        assert FrontEnd(helper.path, name=name).ask()["type"] == "snapshot"
    assert devices(helper) == ["command line", "tray", "window"]


def test_a_revoked_front_end_is_paired_again(helper: FakeHelper) -> None:
    """It says so; what it held is replaced."""
    front_end = FrontEnd(helper.path)
    front_end.ask()
    front_end.pairing.accepted()
    before = front_end.store.read(authority_of(helper))
    revoke(helper)
    refused = front_end.ask()
    assert (refused["type"], refused["kind"]) == ("refused", "not_paired")
    front_end.pairing.refused(refused["message"], TIMEOUT)
    assert front_end.said[1] == refused["message"]
    assert front_end.ask()["type"] == "snapshot"
    after = front_end.store.read(authority_of(helper))
    assert len(after) == 1
    assert after[0].key != before[0].key
    assert not Path(front_end.store.file(authority_of(helper), before[0].key)).exists()


def test_being_refused_twice_in_a_row_is_the_end(helper: FakeHelper) -> None:
    """No loop of pairings."""
    front_end = FrontEnd(helper.path)
    front_end.ask()
    front_end.pairing.accepted()
    front_end.pairing.refused("First.", TIMEOUT)
    front_end.ask()
    with pytest.raises(Trouble, match="Second") as raised:
        front_end.pairing.refused("Second.", TIMEOUT)
    assert raised.value.kind == NOT_PAIRED


def test_what_another_program_has_paired_meanwhile_is_taken(helper: FakeHelper) -> None:
    """A refusal of what is old by now costs no pairing."""
    first, second = FrontEnd(helper.path), FrontEnd(helper.path)
    first.ask()
    second.ask()
    first.pairing.accepted()
    first.pairing.refused("Old.", TIMEOUT)
    assert len(devices(helper)) == 2
    second.pairing.refused("Old.", TIMEOUT)
    assert second.ask()["type"] == "snapshot"
    assert len(devices(helper)) == 2


def test_new_keys_of_the_helper_are_told(tmp_path: Path) -> None:
    """Its authority was lost: pair again, with a sentence; nothing of the old one stands in the way."""
    folder = tmp_path / "run"
    with FakeHelper(folder) as helper:
        FrontEnd(helper.path).ask()
    for file in (folder / "state").rglob("*.*"):
        file.unlink()
    with FakeHelper(folder) as helper:
        front_end = FrontEnd(helper.path)
        assert front_end.ask()["type"] == "snapshot"
        assert front_end.said[0] == "This computer's SloPN service has new keys; pairing again."


def test_a_restarted_helper_knows_us(tmp_path: Path) -> None:
    """Nothing is paired again."""
    front_end = None
    for _ in range(2):
        with FakeHelper(tmp_path / "run") as helper:
            front_end = front_end or FrontEnd(helper.path)
            assert front_end.ask()["type"] == "snapshot"
            assert devices(helper) == ["command line"]


def test_many_programs_pair_once(helper: FakeHelper) -> None:
    """24 that begin at the same moment: one of them pairs, the others wait and use it."""
    start = threading.Barrier(24)

    def run(_: int) -> str:
        front_end = FrontEnd(helper.path)
        start.wait(TIMEOUT)
        return str(front_end.ask()["type"])

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(run, range(24))) == {"snapshot"}
    assert devices(helper) == ["command line"]


def test_a_certificate_for_another_key_is_refused(helper: FakeHelper, home: Path) -> None:
    """A helper that mixes up two requests doesn't leave us with something of no use."""
    other = FrontEnd(helper.path, name="tray")
    other.ask()
    held = other.store.read(authority_of(helper))[0]
    helper.answer(Pair, Paired(held.device, held.certificate, ()))
    with pytest.raises(Trouble, match="makes no sense"):
        FrontEnd(helper.path).ask()
    helper.answer(Pair, Paired(held.device, "rubbish", ()))
    with pytest.raises(Trouble, match="makes no sense"):
        FrontEnd(helper.path).ask()
    helper.answer(Pair, Done())
    with pytest.raises(Trouble, match="done for a request to be paired"):
        FrontEnd(helper.path).ask()
    assert list(home.rglob("cli-*.key")) == []


def test_no_helper_is_unreachable(tmp_path: Path, home: Path) -> None:
    """Nothing is made then."""
    with pytest.raises(Trouble) as raised:
        FrontEnd(str(tmp_path / "none")).ask()
    assert raised.value.kind == UNREACHABLE
    assert list(home.iterdir()) == []
