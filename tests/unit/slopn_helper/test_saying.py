"""What the log says of a command."""

from __future__ import annotations

from slopn_helper.saying import told
from slopn_wire.commands import (
    ApplySettings,
    Connect,
    Enrol,
    GetUsers,
    ImportProfile,
    Pause,
    RenameProfile,
    RenewEnrolment,
)
from slopn_wire.settings import KillSwitchMode, Settings


def test_names_are_said_and_secrets_are_not() -> None:
    """Quoted and cut, so that a name can't pass for a line of the log."""
    assert told(Connect("a\nb"), Settings()) == "Connect 'a\\nb'"
    assert len(told(Connect("x" * 5000), Settings())) < 120
    assert "SECRET" not in told(ImportProfile("a", "SECRET", "a.conf"), Settings())
    assert told(Enrol("slopn://enrol?token=SECRET", "office"), Settings()) == "Enrol 'office'"
    assert told(Enrol("slopn://enrol?token=SECRET"), Settings()) == "Enrol"
    assert told(RenewEnrolment("office"), Settings()) == "RenewEnrolment 'office'"
    assert told(RenameProfile("a", "b"), Settings()) == "RenameProfile 'a' to 'b'"


def test_what_changes_is_said() -> None:
    """Of settings what differs, of the rest the kind."""
    assert told(Pause(60), Settings()) == "Pause for 60 s"
    assert told(GetUsers(), Settings()) == "GetUsers"
    always = ApplySettings(Settings(kill_switch=KillSwitchMode.ALWAYS))
    assert told(always, Settings()) == "ApplySettings kill_switch=always"
    assert told(ApplySettings(Settings()), Settings()) == "ApplySettings as they are"
