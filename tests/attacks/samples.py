"""One of each command that needs a certificate, harmful if it were carried out."""

from __future__ import annotations

from collections.abc import Iterator

from slopn_helper.ipc.authz import PAIRED, REQUIRED
from slopn_wire.commands import (
    AddUser,
    ApplySettings,
    ChangeProfile,
    CheckEnrolment,
    CheckProfile,
    Command,
    Connect,
    Diagnose,
    Disconnect,
    Enrol,
    ExportProfile,
    FollowLogs,
    GetLogs,
    GetPairings,
    GetSnapshot,
    GetUsers,
    ImportProfile,
    Pause,
    Reconnect,
    RemoveProfile,
    RemoveUser,
    RenameDevice,
    RenameProfile,
    Renew,
    RenewEnrolment,
    Replay,
    RevokeDevice,
    Unlock,
    Watch,
)
from slopn_wire.devices import Right
from slopn_wire.enrolment import EnrolmentLink, make_link
from slopn_wire.profile import PostQuantum
from slopn_wire.settings import KillSwitchMode, Settings
from support.certificates import new_key, request_for

AT_ONCE = 4
"""Refusals of one user that are answered without much delay."""
_LINK = make_link(EnrolmentLink("192.0.2.66", 443, bytes(32), bytes(32)))
_SAMPLES: dict[type[Command], Command] = {
    type(command): command
    for command in (
        Connect("victim"),
        Disconnect(),
        Reconnect(),
        Pause(60),
        Unlock(),
        ImportProfile("forged", "[Interface]", "forged.conf"),
        ExportProfile("victim"),
        RemoveProfile("victim"),
        CheckProfile("forged", "[Interface]", "forged.conf"),
        ChangeProfile("victim", PostQuantum.OFF),
        CheckEnrolment(_LINK),
        Enrol(_LINK, "victim", replace=True),
        RenewEnrolment("victim", rotate=True),
        RenameProfile("victim", "mine"),
        ApplySettings(Settings(kill_switch=KillSwitchMode.OFF)),
        GetSnapshot(),
        Watch(),
        GetLogs(),
        FollowLogs(),
        GetPairings(),
        RenameDevice("victim", "mine"),
        RevokeDevice("victim"),
        GetUsers(),
        AddUser("nobody"),
        RemoveUser("nobody"),
        Diagnose(),
        Replay(b""),
        Renew(request_for(new_key())),
    )
}


def needing(*rights: Right) -> list[Command]:
    """All that need one of these rights."""
    return [_SAMPLES[kind] for kind, right in REQUIRED.items() if right in rights]


def needing_a_certificate() -> list[Command]:
    """All but those that lead to one."""
    return [_SAMPLES[kind] for kind in (*REQUIRED, *PAIRED)]


def portions(commands: list[Command]) -> Iterator[list[Command]]:
    """As many as one user may try without being slowed down much."""
    for start in range(0, len(commands), AT_ONCE):
        yield commands[start : start + AT_ONCE]
