from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_app.cli.failure import Failure
from slopn_app.cli.verbs.devices import SHORTEST, abbreviated, meant
from slopn_wire.commands import GetPairings, RenameDevice, RevokeDevice
from slopn_wire.devices import Device, PendingPairing, Right, ShownPairing
from slopn_wire.events import Done, ErrorKind, Pairings, Refused, Snapshot
from support.fake_helper import FakeHelper
from support.slopn import Slopn

NOW = time.time()
DAY = 86_400.0
PAIRING = PendingPairing("p1", "backup", "alice", 1001, "/usr/bin/python3.11", (Right.VIEW,), NOW + 100)


def device(number: str, name: str, **changes: Any) -> Device:
    """One that was paired yesterday."""
    made = Device(number, name, "alice", 1001, tuple(Right), NOW - DAY, NOW + 300 * DAY, NOW)
    return replace(made, **changes)


DEVICES = (
    device("3f2a000000000000", "command line"),
    device("3f2b000000000000", "window", rights=(Right.VIEW, Right.CONNECT), last_seen=None),
    device("9d00000000000000", "東京", expires=NOW - 1),
)


@pytest.fixture
def paired(helper: FakeHelper) -> FakeHelper:
    """With devices and one that waits."""
    helper.show(Snapshot(devices=DEVICES, pairings=(PAIRING,)))
    helper.answer(GetPairings, Pairings((ShownPairing(PAIRING, "042137"),)))
    return helper


def test_the_table(paired: FakeHelper, slopn: Slopn) -> None:
    """Ids are shortened, names aligned by what is seen; who waits stands below with the number."""
    outcome = slopn("devices")
    lines = outcome.out.splitlines()
    assert lines[0].split()[:4] == ["ID", "NAME", "USER", "MAY"]
    assert lines[1].startswith("3f2a  command line  alice  view, connect, configure  ")
    assert lines[2].startswith("3f2b  window        alice  view, connect             ")
    assert lines[2].endswith("never")
    assert lines[3].startswith("9d00  東京          alice")
    assert " expired " in lines[3]
    assert lines[5].split()[0] == "NUMBER"
    assert lines[6].startswith("042137  backup")
    assert "/usr/bin/python3.11" in lines[6]
    assert "where you started the pairing yourself" in outcome.err
    assert paired.path


def test_json_and_names(paired: FakeHelper, slopn: Slopn) -> None:
    """The wire's own documents for scripts, id and name for completion."""
    document = slopn("devices", "--json").json
    assert [found["id"] for found in document["devices"]] == [found.id for found in DEVICES]
    assert document["waiting"][0]["number"] == "042137"
    assert slopn("devices", "--names").out.splitlines()[0] == "3f2a000000000000\tcommand line"
    assert paired.path


def test_who_may_not_configure_sees_no_numbers(paired: FakeHelper, slopn: Slopn) -> None:
    """But that somebody waits, and where the number is."""
    paired.answer(GetPairings, Refused(ErrorKind.NOT_PERMITTED, "no"))
    outcome = slopn("devices")
    assert outcome.status == 0
    assert outcome.out.splitlines()[6].startswith("hidden  backup")
    assert "journalctl" in outcome.err
    assert slopn("devices", "--json").json["waiting"][0]["number"] is None


def test_none_at_all(helper: FakeHelper, slopn: Slopn) -> None:
    """Says how to come by one."""
    helper.answer(GetPairings, Pairings(()))
    assert "`slopn pair`" in slopn("devices").out


@pytest.mark.parametrize("text", ["3f2a", "3f2a000000000000", "3F2A0", "command line", "Command LINE"])
def test_rename(paired: FakeHelper, slopn: Slopn, text: str) -> None:
    """By an id, its beginning, or the name in any case."""
    paired.answer(RenameDevice, Done())
    outcome = slopn("devices", "rename", text, "laptop")
    assert (outcome.status, outcome.out) == (0, "command line is now called laptop.\n")
    assert paired.commands[-1] == RenameDevice("3f2a000000000000", "laptop")


def test_revoke_several(paired: FakeHelper, slopn: Slopn) -> None:
    """Each once, however often it is named."""
    paired.answer(RevokeDevice, Done(("a note",)))
    outcome = slopn("devices", "revoke", "window", "9d", "3f2b")
    assert outcome.out == "Revoked window of alice.\nRevoked 東京 of alice.\n"
    assert outcome.err == "a note\na note\n"
    revoked = [command.device for command in paired.commands if isinstance(command, RevokeDevice)]
    assert revoked == ["3f2b000000000000", "9d00000000000000"]
    assert slopn("devices", "revoke", "9d", "--json").json["revoked"] == ["9d00000000000000"]


@pytest.mark.parametrize(
    ("text", "sentence"), [("3f2", "may be one of 2 devices"), ("xyz", "There is no device 'xyz'"), ("", "no device")]
)
def test_who_is_meant_must_be_clear(paired: FakeHelper, slopn: Slopn, text: str, sentence: str) -> None:
    """Status 2, and nobody is revoked, not even those who were clear."""
    outcome = slopn("devices", "revoke", "9d", text)
    assert outcome.status == 2
    assert sentence in outcome.err
    assert not any(isinstance(command, RevokeDevice) for command in paired.commands)


@pytest.mark.parametrize("arguments", [["rename", "3f2a"], ["revoke"], ["show"], ["rename", "a", "b", "c"], ["3f2a"]])
def test_wrong_usage(helper: FakeHelper, slopn: Slopn, arguments: list[str]) -> None:
    """Status 2, and how it is used."""
    outcome = slopn("devices", *arguments)
    assert outcome.status == 2
    assert "slopn devices [rename ID NAME | revoke ID…]" in outcome.err
    assert helper.commands == []


def test_its_own_pairing_is_revoked_for_good(helper: FakeHelper, slopn: Slopn) -> None:
    """The command that ends its own pairing says so, and doesn't pair again by itself."""
    (own,) = helper.run(lambda: helper.hub.devices)
    helper.show(Snapshot(devices=(own,)))
    outcome = slopn("devices", "revoke", own.id)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("Revoked command line")
    assert helper.run(lambda: helper.hub.devices) == ()


def test_its_own_pairing_goes_last(helper: FakeHelper, slopn: Slopn) -> None:
    """Named first, it doesn't keep the others from being revoked."""
    (own,) = helper.run(lambda: helper.hub.devices)
    helper.show(Snapshot(devices=(own, *DEVICES)))
    helper.answer(RevokeDevice, Done())
    assert slopn("devices", "revoke", own.id, "9d00000000000000").status == 0
    revoked = [command.device for command in helper.commands if isinstance(command, RevokeDevice)]
    assert revoked == ["9d00000000000000", own.id]


@given(st.lists(st.text("0123456789abcdef", min_size=1, max_size=6), unique=True))
def test_abbreviations_are_unique(ids: list[str]) -> None:
    """Whatever the ids are; and what is shown names its device, if nothing else is called so."""
    short = abbreviated(ids)
    assert len(set(short.values())) == len(ids)
    assert all(len(text) >= min(SHORTEST, len(number)) for number, text in short.items())


def test_an_exact_id_beats_a_longer_one() -> None:
    """Also if it is the beginning of another, or somebody's name."""
    devices: Any = [
        {"id": "ab", "name": "x", "user": "u"},
        {"id": "abc", "name": "y", "user": "u"},
        {"id": "zz", "name": "ab", "user": "u"},
    ]
    assert meant("ab", devices)["name"] == "x"
    with pytest.raises(Failure, match="may be one of"):
        meant("a", devices)
