"""What clients ask is carried out whole or refused in a sentence; nothing is half applied."""

from __future__ import annotations

import logging
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from slopn_helper import control as module
from slopn_helper.host.firewall.policy import Blocked, Open
from slopn_helper.store import StoreError, Wish
from slopn_helper.tunnel.driver import Position
from slopn_helper.tunnel.inputs import Connect as ConnectTo
from slopn_wire.commands import (
    ApplySettings,
    CheckProfile,
    Command,
    Connect,
    Diagnose,
    Disconnect,
    ExportProfile,
    GetSnapshot,
    ImportProfile,
    Reconnect,
    RemoveProfile,
    RenameProfile,
    Replay,
)
from slopn_wire.diagnosis import Diagnosis, Replayed
from slopn_wire.events import Done, ErrorKind, Exported, Live, Result, Snapshot
from slopn_wire.profile_replies import Checked
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connecting, Disconnected, TargetState
from support.fakes import PROFILE, SECRETS
from support.house import CONF, KEY, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty one."""
    return House(tmp_path)


def test_the_log_names_what_was_asked_and_no_key(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Which profile, which setting; questions are for debugging only."""
    caplog.set_level(logging.INFO)
    house.import_()
    house.ask(Connect("lab"))
    house.ask(ApplySettings(Settings(kill_switch=KillSwitchMode.ALWAYS)))
    house.ask(GetSnapshot())
    house.ask(Disconnect())
    house.refused(Connect("x (uid 7)" * 1000))
    said = [record.getMessage().removeprefix("uid 0, pid 1, None: ") for record in caplog.records]
    assert said[:4] == ["ImportProfile 'lab'", "Connect 'lab'", "ApplySettings kill_switch=always", "Disconnect"]
    assert said[4].startswith("Connect 'x (uid 7)x (uid 7)")
    assert len(said[4]) < 130
    assert KEY not in caplog.text


def test_a_profile_comes_and_goes(house: House) -> None:
    """Stored, listed, exported with its key, removed; what is never run is told."""
    done = house.import_()
    assert isinstance(done, Done)
    assert "PostUp" in done.notes[0]
    assert [profile.name for profile in house.hub.snapshot().profiles] == ["lab"]
    exported = house.ask(ExportProfile("lab"))
    assert isinstance(exported, Exported)
    assert KEY in exported.text
    assert house.ask(RemoveProfile("lab")) == Done()
    assert house.hub.snapshot().profiles == ()
    assert "no profile" in house.refused(ExportProfile("lab"))


def test_a_profile_gets_another_name(house: House) -> None:
    """With its keys, on disk, and what the user wants follows it; not over another one, and not while it is in use."""
    house.import_()
    house.import_("two")
    house.ask(Connect("lab"))
    assert "in use" in house.refused(RenameProfile("lab", "three"))
    house.ask(Disconnect())
    assert "already" in house.refused(RenameProfile("lab", "two"))
    assert "no profile" in house.refused(RenameProfile("gone", "three"))
    assert house.refused(RenameProfile("lab", "../x"))
    assert house.ask(RenameProfile("lab", "three")) == Done()
    assert [profile.name for profile in house.store.load().profiles] == ["three", "two"]
    assert [profile.name for profile in house.hub.snapshot().profiles] == ["three", "two"]
    exported = house.ask(ExportProfile("three"))
    assert isinstance(exported, Exported)
    assert KEY in exported.text
    house.ask(Connect())
    assert house.posted[-1] == ConnectTo("three")


def test_what_an_import_would_make(house: House) -> None:
    """The profile without its keys, or what is wrong and where; nothing is stored either way."""
    found = house.ask(CheckProfile("lab", CONF, "lab.conf"))
    assert isinstance(found, Checked)
    assert found.profile is not None
    assert (found.profile.name, found.problem) == ("lab", "")
    assert KEY not in repr(found)
    broken = house.ask(CheckProfile("x", CONF.replace("10.9.0.2/32", "10.9.0.256"), "x.conf"))
    assert isinstance(broken, Checked)
    assert (broken.profile, broken.line, broken.column) == (None, 3, 11)
    assert "10.9.0.256" in broken.problem
    assert "x.conf" not in broken.problem
    unnamed = house.ask(CheckProfile("../x", CONF, "x.conf"))
    assert isinstance(unnamed, Checked)
    assert unnamed.problem
    assert unnamed.line is None
    assert house.store.load().profiles == ()
    assert house.hub.snapshot().profiles == ()


def test_a_key_leaves_by_export_alone(house: House) -> None:
    """The snapshot hasn't it."""
    house.import_()
    assert KEY not in repr(house.hub.snapshot())
    assert KEY not in repr(house.ask(GetSnapshot()))


def test_a_broken_file_stores_nothing(house: House) -> None:
    """File, line and column in the sentence."""
    message = house.refused(ImportProfile("x", CONF.replace("10.9.0.2/32", "10.9.0.256"), "x.conf"))
    assert message.startswith("x.conf:3:11: ")


@pytest.mark.parametrize("name", ["", "../x", "a" * 65])
def test_a_bad_name(house: House, name: str) -> None:
    """It would be a path, or nothing."""
    assert house.refused(ImportProfile(name, CONF, "x.conf"))


def test_a_name_that_is_taken(house: House) -> None:
    """Only on demand, and never under a running tunnel."""
    house.import_()
    assert "--replace" in house.refused(ImportProfile("lab", CONF, "lab.conf"))
    assert isinstance(house.ask(ImportProfile("lab", CONF, "lab.conf", replace=True)), Done)
    house.ask(Connect("lab"))
    assert "in use" in house.refused(ImportProfile("lab", CONF, "lab.conf", replace=True))
    assert "in use" in house.refused(RemoveProfile("lab"))


def test_a_profile_that_is_being_left_is_in_use(house: House) -> None:
    """No longer wanted, not yet down."""
    house.import_()
    house.hub.set_position(Position(Connecting("lab"), Blocked(), Blocked()), Live(), ())
    assert "in use" in house.refused(RemoveProfile("lab"))


def test_connect_keeps_the_wish(house: House) -> None:
    """On disk before the tunnel hears of it, and in the snapshot."""
    house.import_()
    assert house.ask(Connect("lab")) == Done()
    assert house.posted == [ConnectTo("lab")]
    assert house.control.wish == Wish(TargetState.SECURED, "lab") == house.store.load().wish
    assert house.hub.snapshot().target is TargetState.SECURED
    assert house.ask(Disconnect()) == Done()
    assert house.store.load().wish == Wish(TargetState.UNSECURED, "lab")


def test_connect_without_a_name(house: House) -> None:
    """The one used last, or the only one; else the user must say."""
    assert "slopn import" in house.refused(Connect())
    house.import_("one")
    house.ask(Connect())
    house.ask(Disconnect())
    house.import_("two")
    house.ask(Connect())
    assert house.posted == [ConnectTo("one"), Disconnect(), ConnectTo("one")]
    house.ask(Disconnect())
    house.ask(RemoveProfile("one"))
    house.import_("three")
    assert "three, two" in house.refused(Connect())
    assert "There are: three, two" in house.refused(Connect("one"))


def test_reconnect_needs_a_wish(house: House) -> None:
    """Else there is nothing to reconnect."""
    assert "slopn connect" in house.refused(Reconnect())
    house.import_()
    house.ask(Connect("lab"))
    assert house.ask(Reconnect()) == Done()
    assert house.posted[-1] == Reconnect()


def test_settings(house: House) -> None:
    """Stored, told to the tunnel and to everyone."""
    settings = Settings(kill_switch=KillSwitchMode.ALWAYS, resolvers=(ip_address("192.0.2.1"),))
    assert house.ask(ApplySettings(settings)) == Done()
    assert house.applied == [settings]


def test_settings_that_the_firewall_refuses(house: House) -> None:
    """Stored and tried again, but nobody is told that the host is closed when it isn't."""
    house.hub.set_position(Position(Disconnected(), Open(), Blocked(allow_lan=False)), Live(), ())
    answer = house.ask(ApplySettings(Settings(kill_switch=KillSwitchMode.ALWAYS)))
    assert isinstance(answer, Done)
    (note,) = answer.notes
    assert "your traffic is not held back" in note


def test_settings_that_somebody_else_has_changed(house: House) -> None:
    """Who tells which settings are to be replaced doesn't undo another's change unseen."""
    known = house.hub.snapshot().settings
    closed = Settings(kill_switch=KillSwitchMode.ALWAYS)
    assert house.ask(ApplySettings(closed, known)) == Done()
    late = ApplySettings(Settings(allow_lan=True), known)
    assert "changed by another program" in house.refused(late, ErrorKind.CONFLICT)
    assert house.hub.snapshot().settings == closed
    assert house.ask(ApplySettings(known, closed)) == Done()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "ff02::1", "224.0.0.1", "fe80::1%eth0"])
def test_a_resolver_that_nobody_can_ask(house: House, address: str) -> None:
    """Refused with its address, before anything is stored."""
    assert address in house.refused(ApplySettings(Settings(resolvers=(ip_address(address),))))
    assert house.store.load().settings == Settings()


def test_networks_that_contradict_each_other(house: House) -> None:
    """What goes through the tunnel and what beside it must be told apart; refused before anything is stored."""
    everything = Settings(exclude=(ip_network("0.0.0.0/0"),))
    assert "too much to leave out" in house.refused(ApplySettings(everything))
    assert house.store.load().settings == Settings()


def test_settings_are_done_when_they_hold(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads that the host is closed may rely on it; a tunnel that is busy is waited for, but not for long."""
    monkeypatch.setattr(module, "SETTINGS_WITHIN", 0.01)
    house.slow = True
    settings = Settings(kill_switch=KillSwitchMode.ALWAYS)
    assert house.ask(ApplySettings(settings)) == Done((module.LATER,))
    assert house.store.load().settings == settings
    assert house.hub.snapshot().settings == settings == house.store.load().settings == house.control.settings
    assert "resolved" in house.refused(ApplySettings(Settings(dns_mechanism="magic")))


def test_a_full_disk_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, and the tunnel hears nothing."""
    house.import_()

    def full(*_: object) -> None:
        raise StoreError("no space left")

    for name in ("save_wish", "save_settings", "save_profile"):
        monkeypatch.setattr(house.store, name, full)
    commands: tuple[Command, ...] = (
        Connect("lab"),
        ApplySettings(Settings(allow_lan=True)),
        ImportProfile("other", CONF, "o.conf"),
    )
    for command in commands:
        assert house.refused(command, ErrorKind.FAILED) == "no space left"
    assert (house.posted, house.applied) == ([], [])
    assert house.control.wish.target is TargetState.UNSECURED


def test_questions_about_the_helper_itself(house: House) -> None:
    """Answered by the daemon, also while a command is being carried out."""
    assert house.ask(Diagnose()) == Diagnosis((), {"log": "all"})
    assert house.ask(Replay(b"1.2")) == Replayed((), "1.2")


def test_the_snapshot_is_the_hubs(house: House) -> None:
    """One truth."""
    assert house.ask(GetSnapshot()) == house.control.snapshot() == house.hub.snapshot()
    assert isinstance(house.control.snapshot(), Snapshot)
    with house.control.subscribe() as reader:
        assert reader.first == house.hub.snapshot()


def test_it_is_the_runners_book(house: House) -> None:
    """Profiles by name, and their keys."""
    ask: Callable[[Command], Result] = house.ask
    ask(ImportProfile("lab", CONF, "lab.conf"))
    profile = house.control.profile("lab")
    assert profile is not None
    assert profile.name == PROFILE.name
    assert house.control.names() == ("lab",)
    assert house.control.profile("gone") is None
    assert house.control.secrets("lab").private_key == SECRETS.private_key
