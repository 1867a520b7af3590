from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from slopn_helper.ipc.endpoints.pipe.caller import NO_GROUP, PipeCredentials, Program, Token, credentials
from slopn_helper.ipc.endpoints.pipe.sddl import ADMINISTRATORS, NETWORK, SYSTEM, Sid

ANN = Sid.parse("S-1-5-21-1-2-3-1001")
BEN = Sid.parse("S-1-5-21-1-2-3-1002")
USERS = Sid.parse("S-1-5-32-545")
TOKEN = Token(user=ANN, groups=(USERS,), integrity=0x2000, elevated=False, session=2, level=1)
PROGRAM = Program(ANN, 2, r"C:\Program Files\SloPN\slopn.exe")


class FakeWindows:
    """One client, as it looks to each call."""

    def __init__(self) -> None:
        self.token = TOKEN
        self.programs: dict[int, Program] = {42: PROGRAM}
        self.pids = [42]
        self.there = True

    def client_pid(self, pipe: int) -> int:
        """The last one stays."""
        assert pipe == 7
        return self.pids.pop(0) if len(self.pids) > 1 else self.pids[0]

    def client_token(self, pipe: int) -> Token:
        """What was set."""
        assert pipe == 7
        return self.token

    def program(self, pid: int) -> Program:
        """Gone if it isn't known."""
        if pid not in self.programs:
            raise ProcessLookupError(pid)
        return self.programs[pid]

    def connected(self, pipe: int) -> bool:
        """What was set."""
        assert pipe == 7
        return self.there


def test_the_token_says_who_and_the_process_says_what() -> None:
    """An ordinary client."""
    assert credentials(FakeWindows(), 7) == PipeCredentials(
        uid=1001,
        gid=NO_GROUP,
        groups=(545,),
        pid=42,
        exe=PROGRAM.image,
        session="2",
        sid="S-1-5-21-1-2-3-1001",
        elevated=False,
    )


def test_system_is_root() -> None:
    """And nobody else."""
    windows = FakeWindows()
    windows.token = replace(TOKEN, user=SYSTEM, integrity=0x4000)
    assert credentials(windows, 7).uid == 0


@pytest.mark.parametrize("user", ["S-1-12-1-7-7-7-0", "S-1-5-21-1-2-3-0"])
def test_an_account_that_looks_like_root_is_none(user: str) -> None:
    """The last part of a SID is whatever its domain likes, and 0 would be root's."""
    windows = FakeWindows()
    windows.token = replace(TOKEN, user=Sid.parse(user))
    with pytest.raises(PermissionError):
        credentials(windows, 7)


def test_only_windows_own_groups_count() -> None:
    """A domain may number a group of its own like Administrators."""
    windows = FakeWindows()
    windows.token = replace(
        TOKEN, groups=(Sid.parse("S-1-5-21-1-2-3-544"), USERS, Sid.parse("S-1-5-32"), Sid.parse("S-1-5-32-1-544"))
    )
    assert credentials(windows, 7).groups == (545,)


def test_an_elevated_administrator_keeps_the_own_number() -> None:
    """And is seen in the group, which isn't in force without elevation."""
    windows = FakeWindows()
    windows.token = replace(TOKEN, groups=(USERS, ADMINISTRATORS), elevated=True, integrity=0x3000)
    found = credentials(windows, 7)
    assert (found.uid, found.groups, found.elevated) == (1001, (545, 544), True)


REFUSED: dict[str, Token] = {
    "who hides": replace(TOKEN, level=0),
    "a sandbox": replace(TOKEN, integrity=0x1000),
    "just below medium": replace(TOKEN, integrity=0x1FFF),
    "over the network": replace(TOKEN, groups=(USERS, NETWORK)),
    "anonymous": replace(TOKEN, user=Sid.parse("S-1-5-7")),
    "a guest": replace(TOKEN, user=Sid.parse("S-1-5-21-1-2-3-501")),
    "a service's account": replace(TOKEN, user=Sid.parse("S-1-5-19")),
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
def test_who_is_none_of_ours_is_refused(token: Token) -> None:
    """Even if the pipe's list had let them in."""
    windows = FakeWindows()
    windows.token = token
    with pytest.raises(PermissionError):
        credentials(windows, 7)


def _ended(windows: FakeWindows) -> None:
    windows.programs.clear()


def _another_user(windows: FakeWindows) -> None:
    windows.programs[42] = replace(PROGRAM, user=BEN)


def _system(windows: FakeWindows) -> None:
    windows.programs[42] = replace(PROGRAM, user=SYSTEM, session=0)


def _another_session(windows: FakeWindows) -> None:
    windows.programs[42] = replace(PROGRAM, session=3)


def _another_number(windows: FakeWindows) -> None:
    windows.pids = [42, 43]


def _hung_up(windows: FakeWindows) -> None:
    windows.there = False


@pytest.mark.parametrize(
    "change",
    [_ended, _another_user, _system, _another_session, _another_number, _hung_up],
    ids=lambda each: each.__name__,
)
def test_a_program_that_may_be_another_is_not_named(change: Callable[[FakeWindows], None]) -> None:
    """The number was used again, or nobody is there any more: the user is known still, the program isn't."""
    windows = FakeWindows()
    change(windows)
    found = credentials(windows, 7)
    assert (found.uid, found.pid, found.exe) == (1001, 42, None)
