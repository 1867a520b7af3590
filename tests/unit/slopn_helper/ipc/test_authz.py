from __future__ import annotations

from itertools import chain, combinations

import pytest

from slopn_helper.ipc.authz import FREE, PAIRED, REQUIRED, ROOT_ONLY, denial
from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.verdicts import Problem
from slopn_helper.principal import ALL_RIGHTS, Principal
from slopn_wire.commands import (
    AddUser,
    ApplySettings,
    ChangeProfile,
    CheckEnrolment,
    CheckProfile,
    Command,
    ConfirmPairing,
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
    Pair,
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
from slopn_wire.devices import Right, UserBasis
from slopn_wire.events import ErrorKind
from slopn_wire.profile import PostQuantum
from slopn_wire.settings import Settings
from support.wire import structs

VIEW: list[Command] = [GetSnapshot(), Watch(), GetLogs(), FollowLogs(), GetUsers(), Diagnose(), Replay(b"")]
CONNECT: list[Command] = [Connect(), Disconnect(), Reconnect(), Pause(60)]
CONFIGURE: list[Command] = [
    Unlock(),
    ImportProfile("berlin", "", "berlin.conf"),
    ExportProfile("berlin"),
    RemoveProfile("berlin"),
    CheckProfile("berlin", "", "berlin.conf"),
    CheckEnrolment("slopn://enrol?"),
    Enrol("slopn://enrol?"),
    RenewEnrolment("berlin"),
    ChangeProfile("berlin", PostQuantum.DEMAND),
    RenameProfile("berlin", "paris"),
    ApplySettings(Settings()),
    GetPairings(),
    RenameDevice("d", "x"),
    RevokeDevice("d"),
]
USERS: list[Command] = [AddUser("joe"), RemoveUser("joe")]
PAIRING: list[Command] = [Pair("x", ""), ConfirmPairing("p", "000000")]
NEEDS = {
    **dict.fromkeys(map(type, VIEW), Right.VIEW),
    **dict.fromkeys(map(type, CONNECT), Right.CONNECT),
    **dict.fromkeys(map(type, CONFIGURE + USERS), Right.CONFIGURE),
}
COMMANDS = [*VIEW, *CONNECT, *CONFIGURE, *USERS, *PAIRING, Renew("")]
SETS = [frozenset(each) for each in chain.from_iterable(combinations(Right, size) for size in range(4))]


def who(
    rights: frozenset[Right] = ALL_RIGHTS,
    *,
    basis: UserBasis | None = UserBasis.GROUP,
    device: str | None = "d",
) -> Principal:
    """Somebody of the group, if not said otherwise."""
    return Principal(1000, 1000, 1, None, rights, "joe", basis, None, device)


def test_every_command_is_judged() -> None:
    """A new command can't be forgotten: it stands in exactly one of the tables, and in the ones of this test."""
    tables = [*FREE, *PAIRED, *REQUIRED]
    assert len(tables) == len(set(tables))
    assert set(tables) == set(structs(Command)) == {type(command) for command in COMMANDS}
    assert set(REQUIRED) >= ROOT_ONLY


@pytest.mark.parametrize("command", VIEW + CONNECT + CONFIGURE, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("rights", SETS, ids=lambda rights: "+".join(sorted(rights)) or "none")
def test_a_command_passes_with_its_right_alone(command: Command, rights: frozenset[Right]) -> None:
    """For every command and every set of rights: the right that it needs decides, and nothing else."""
    denied = denial(who(rights), None, command)
    assert (denied is None) == (NEEDS[type(command)] in rights)
    if denied is not None:
        assert denied.why is Why.RIGHT
        assert denied.refused.kind is ErrorKind.NOT_PERMITTED
        assert f"without the right “{NEEDS[type(command)]}”" in denied.refused.message


@pytest.mark.parametrize("basis", [each for each in UserBasis if each is not UserBasis.ROOT])
@pytest.mark.parametrize("command", USERS, ids=lambda command: type(command).__name__)
def test_users_are_roots_to_change(command: Command, basis: UserBasis) -> None:
    """Nobody else may, with whatever rights; and root's front end needs the right to configure."""
    denied = denial(who(basis=basis), None, command)
    assert denied is not None
    assert denied.why is Why.ROOT_ONLY
    assert "sudo" in denied.refused.message
    assert denial(who(basis=UserBasis.ROOT), None, command) is None
    assert denial(who(frozenset({Right.VIEW, Right.CONNECT}), basis=UserBasis.ROOT), None, command) is not None


@pytest.mark.parametrize("basis", list(UserBasis))
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_without_a_certificate_there_is_pairing_alone(command: Command, basis: UserBasis) -> None:
    """Also for root, and also if rights were left standing by mistake."""
    denied = denial(who(basis=basis, device=None), None, command)
    if command in PAIRING:
        assert denied is None
    else:
        assert denied is not None
        assert denied.why is Why.NOT_PAIRED
        assert denied.refused.kind is ErrorKind.NOT_PAIRED


@pytest.mark.parametrize("problem", [each for each in Problem if each is not Problem.NOT_ALLOWED])
def test_a_certificate_that_does_not_count_is_named(problem: Problem) -> None:
    """Who has shown one is told what is wrong with it; pairing again is possible all the same."""
    denied = denial(who(frozenset(), device=None), problem, GetSnapshot())
    assert denied == (problem, problem.refused())
    assert denial(who(frozenset(), device=None), problem, Pair("x", "")) is None


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_who_may_not_use_it_may_not_even_pair(command: Command) -> None:
    """Whatever else is said of such a user."""
    denied = denial(who(basis=None), None, command)
    assert denied == (Problem.NOT_ALLOWED, Problem.NOT_ALLOWED.refused())


def test_renewing_needs_a_certificate_and_no_right() -> None:
    """A front end keeps what it has."""
    assert denial(who(frozenset()), None, Renew("")) is None


def test_an_unknown_command_is_refused_to_everybody() -> None:
    """What isn't in a table is permitted to nobody, root included."""
    denied = denial(who(basis=UserBasis.ROOT), None, object())  # type: ignore[arg-type]
    assert denied is not None
    assert denied.refused.kind is ErrorKind.NOT_PERMITTED
