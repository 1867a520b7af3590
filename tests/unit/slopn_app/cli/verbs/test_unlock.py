from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_app.cli.verbs import unlock
from slopn_wire.commands import Unlock
from slopn_wire.events import Done, Live, PolicyKind, SettingsChanged, StateChanged
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Disconnected, ErrorCause, ErrorState, TargetState
from support.fake_helper import FakeHelper
from support.samples import CONNECTED
from support.slopn import Slopn


@pytest.fixture
def locked(helper: FakeHelper) -> FakeHelper:
    """Blocked by an error, with the kill switch on always; unlocking opens."""
    settings = Settings(KillSwitchMode.ALWAYS)
    helper.show(
        replace(
            CONNECTED,
            state=ErrorState(ErrorCause.ENGINE, "berlin"),
            policy=PolicyKind.BLOCKED,
            target=TargetState.SECURED,
            settings=settings,
        )
    )

    def answer(_: object) -> Done:
        hub = helper.hub
        hub.publish(SettingsChanged(replace(settings, kill_switch=KillSwitchMode.ON)))
        hub.publish(StateChanged(Disconnected(), 5.0, TargetState.UNSECURED, None, None, PolicyKind.OPEN, Live()))
        return Done(("a note",))

    helper.answer(Unlock, answer)
    return helper


def test_yes_unlocks(locked: FakeHelper, slopn: Slopn) -> None:
    """It says where things stand once traffic goes out."""
    outcome = slopn("unlock", "--yes")
    assert (outcome.status, outcome.out) == (0, "Not protected\n  Your traffic goes out directly.\n")
    assert outcome.err == "a note\n"
    assert locked.commands == [Unlock()]


def test_json_is_the_status(locked: FakeHelper, slopn: Slopn) -> None:
    """As of then."""
    outcome = slopn("unlock", "--yes", "--json")
    assert (outcome.json["state"], outcome.json["policy"], outcome.json["kill_switch"]) == (
        "disconnected",
        "open",
        "on",
    )
    assert locked.commands == [Unlock()]


def test_it_asks_first(locked: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it has said what it does. No means that nothing happens."""
    for answer, status in ((False, 1), (True, 0)):
        monkeypatch.setattr(unlock, "agreed", lambda *_, said=answer: said)
        outcome = slopn("unlock")
        assert outcome.status == status
        assert "your traffic goes out directly" in outcome.err.splitlines()[0]
        assert "`always`" in outcome.err.splitlines()[1]
        assert len(locked.commands) == int(answer)


def test_a_script_must_say_yes(locked: FakeHelper, slopn: Slopn) -> None:
    """Without a terminal and without --yes: status 2, and nothing was done."""
    outcome = slopn("unlock")
    assert outcome.status == 2
    assert "slopn unlock --yes" in outcome.err
    assert locked.commands == []


def test_what_stays_closed_is_not_called_open(
    locked: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The helper has taken the command, but the firewall hasn't: status 5, and what is in force."""
    monkeypatch.setattr(unlock, "_PATIENCE", 0.2)
    locked.answer(Unlock, Done(("The firewall refused.",)))
    outcome = slopn("unlock", "--yes")
    assert (outcome.status, outcome.out) == (5, "")
    assert "Not unlocked after 0.2 s: Blocked" in outcome.err


def test_without_a_helper_there_is_another_way(slopn: Slopn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 3, and the command that needs none; nobody is asked in vain."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    outcome = slopn("unlock")
    assert outcome.status == 3
    assert outcome.err.splitlines()[-1] == "  Without it, `sudo slopn-helper unlock` lets your traffic out."
