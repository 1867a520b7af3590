from __future__ import annotations

import pytest

from slopn_helper.ipc.authz import REQUIRED, Credentials, principal, refusal
from slopn_helper.principal import ALL_RIGHTS, Principal, Right
from slopn_wire.commands import (
    ApplySettings,
    Command,
    Connect,
    Disconnect,
    ExportProfile,
    GetLogs,
    GetSnapshot,
    ImportProfile,
    Reconnect,
    RemoveProfile,
    Watch,
)
from slopn_wire.events import ErrorKind
from slopn_wire.settings import Settings
from support.wire import structs

GROUP = 990
COMMANDS: list[Command] = [
    Connect(),
    Disconnect(),
    Reconnect(),
    ImportProfile("berlin", "", "berlin.conf"),
    ExportProfile("berlin"),
    RemoveProfile("berlin"),
    ApplySettings(Settings()),
    GetSnapshot(),
    Watch(),
    GetLogs(),
]


@pytest.mark.parametrize(
    ("peer", "group", "rights"),
    [
        (Credentials(uid=0, gid=0), GROUP, ALL_RIGHTS),
        (Credentials(uid=0, gid=0), None, ALL_RIGHTS),
        (Credentials(uid=1000, gid=1000, groups=(4, GROUP, 27)), GROUP, ALL_RIGHTS),
        (Credentials(uid=1000, gid=GROUP), GROUP, ALL_RIGHTS),
        (Credentials(uid=1000, gid=1000, groups=(4, 27)), GROUP, Right(0)),
        (Credentials(uid=1000, gid=1000, groups=(GROUP,)), None, Right(0)),
        (Credentials(uid=1000, gid=0, groups=(0,)), GROUP, Right(0)),
        (Credentials(uid=GROUP, gid=1000), GROUP, Right(0)),
    ],
)
def test_rights_by_user_and_group(peer: Credentials, group: int | None, rights: Right) -> None:
    """Root and the group's members have every right, anybody else none."""
    assert principal(peer, group).rights == rights


def test_a_principal_is_the_systems_word() -> None:
    """User, group, process and program are those of the credentials."""
    peer = Credentials(uid=1000, gid=100, groups=(GROUP,), pid=42, exe="/usr/bin/slopn")
    assert principal(peer, GROUP) == Principal(1000, 100, 42, "/usr/bin/slopn", ALL_RIGHTS)


def test_every_command_needs_a_right() -> None:
    """A new command can't be forgotten in the table, and none is free."""
    assert set(REQUIRED) == set(structs(Command)) == {type(command) for command in COMMANDS}
    assert all(right in Right and right for right in REQUIRED.values())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("rights", [Right(0), *Right, ALL_RIGHTS])
def test_a_command_passes_with_its_right_alone(command: Command, rights: Right) -> None:
    """For every command and every set of rights, the table decides and nothing else."""
    who = Principal(1000, 1000, 1, None, rights)
    denied = refusal(who, command)
    assert (denied is None) == (REQUIRED[type(command)] in rights)
    if denied is not None:
        assert denied.kind is ErrorKind.NOT_PERMITTED
        assert "usermod -aG slopn" in denied.message


@pytest.mark.parametrize(
    ("command", "right"),
    [(GetSnapshot(), Right.VIEW), (Connect(), Right.CONNECT), (ExportProfile("x"), Right.CONFIGURE)],
)
def test_the_table_by_example(command: Command, right: Right) -> None:
    """Looking needs VIEW, connecting CONNECT, and a private key leaves only for those who may configure."""
    assert REQUIRED[type(command)] is right


def test_an_unknown_command_is_refused_to_everybody() -> None:
    """What isn't in the table is permitted to nobody, root included."""
    assert refusal(principal(Credentials(uid=0, gid=0), None), object()) is not None  # type: ignore[arg-type]
