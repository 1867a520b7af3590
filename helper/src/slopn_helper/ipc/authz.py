"""Who may do what: the right that each command needs. Pure."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.verdicts import Problem
from slopn_helper.principal import Principal
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
from slopn_wire.events import ErrorKind, Refused

FREE: frozenset[type[Command]] = frozenset({Pair, ConfirmPairing})
"""Commands that need no certificate: they lead to one."""

PAIRED: frozenset[type[Command]] = frozenset({Renew})
"""Commands that need a certificate, whatever its rights."""

REQUIRED: dict[type[Command], Right] = {
    Connect: Right.CONNECT,
    Disconnect: Right.CONNECT,
    Reconnect: Right.CONNECT,
    Pause: Right.CONNECT,
    Unlock: Right.CONFIGURE,
    ImportProfile: Right.CONFIGURE,
    ExportProfile: Right.CONFIGURE,
    RemoveProfile: Right.CONFIGURE,
    CheckProfile: Right.CONFIGURE,
    CheckEnrolment: Right.CONFIGURE,
    Enrol: Right.CONFIGURE,
    RenewEnrolment: Right.CONFIGURE,
    ChangeProfile: Right.CONFIGURE,
    RenameProfile: Right.CONFIGURE,
    ApplySettings: Right.CONFIGURE,
    GetSnapshot: Right.VIEW,
    Watch: Right.VIEW,
    GetLogs: Right.VIEW,
    FollowLogs: Right.VIEW,
    GetPairings: Right.CONFIGURE,
    RenameDevice: Right.CONFIGURE,
    RevokeDevice: Right.CONFIGURE,
    GetUsers: Right.VIEW,
    AddUser: Right.CONFIGURE,
    RemoveUser: Right.CONFIGURE,
    Diagnose: Right.VIEW,
    Replay: Right.VIEW,
}
"""The right that each other command needs. A command that stands in none of the three is refused to everybody."""

ROOT_ONLY: frozenset[type[Command]] = frozenset({AddUser, RemoveUser})
"""Commands that root's front ends alone may give, on top of the right."""

_IN_WORDS = {
    Right.VIEW: "see what SloPN does",
    Right.CONNECT: "connect and disconnect",
    Right.CONFIGURE: "change settings, profiles and pairings",
}


class Credentials(Struct, frozen=True):
    """What the operating system says of the process at the other end."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    """Supplementary groups of the process when it connected."""
    pid: int = 0
    exe: str | None = None
    user: str = ""
    """The user's name; the number as text where there is none."""
    session: str | None = None
    """The login session of the process, as logind names it (`c2`)."""


class Denied(NamedTuple):
    """A refusal: for the log, and for the client."""

    why: Why | Problem
    refused: Refused


def denial(who: Principal, problem: Problem | None, command: Command) -> Denied | None:
    """None: `who` may. Else why not, with a sentence that says what would help.

    `problem`: why the certificate that `who` has shown doesn't count; None if it does, or none was shown.
    """
    kind = type(command)
    if who.basis is None:
        return Denied(Problem.NOT_ALLOWED, Problem.NOT_ALLOWED.refused())
    if kind in FREE:
        return None
    if who.device is None:
        return Denied(Why.NOT_PAIRED, NOT_PAIRED) if problem is None else Denied(problem, problem.refused())
    if kind in PAIRED:
        return None
    needed = REQUIRED.get(kind)
    if needed is None:
        return Denied(Why.RIGHT, Refused(ErrorKind.NOT_PERMITTED, "Nobody may do this."))
    if needed not in who.rights:
        sentence = (
            f"This program may not {_IN_WORDS[needed]}: it was paired without the right “{needed}”. "
            "End its pairing with `slopn devices revoke`, then pair it again with that right."
        )
        return Denied(Why.RIGHT, Refused(ErrorKind.NOT_PERMITTED, sentence))
    if kind in ROOT_ONLY and who.basis is not UserBasis.ROOT:
        sentence = "Only root may say who uses SloPN on this computer: try it again with `sudo`."
        return Denied(Why.ROOT_ONLY, Refused(ErrorKind.NOT_PERMITTED, sentence))
    return None


NOT_PAIRED = Refused(
    ErrorKind.NOT_PAIRED, "This program isn't paired with SloPN on this computer. Pair it, then ask again."
)
"""For whoever shows no certificate."""
