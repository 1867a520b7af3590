"""Who may do what: peer credentials to rights, and the right that each command needs. Pure.

Root and the members of the group `slopn` may do everything; everybody else may do nothing.
"""

from __future__ import annotations

from msgspec import Struct

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
from slopn_wire.events import ErrorKind, Refused

GROUP = "slopn"
"""Its members may use the helper; installed with the packages, looked up once at the start."""

REQUIRED: dict[type[Command], Right] = {
    Connect: Right.CONNECT,
    Disconnect: Right.CONNECT,
    Reconnect: Right.CONNECT,
    ImportProfile: Right.CONFIGURE,
    ExportProfile: Right.CONFIGURE,
    RemoveProfile: Right.CONFIGURE,
    ApplySettings: Right.CONFIGURE,
    GetSnapshot: Right.VIEW,
    Watch: Right.VIEW,
    GetLogs: Right.VIEW,
}
"""The right that each command needs. A command that is missing here is refused to everybody."""


class Credentials(Struct, frozen=True):
    """What the operating system says of the process at the other end."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    """Supplementary groups of the process when it connected."""
    pid: int = 0
    exe: str | None = None


def principal(peer: Credentials, group: int | None) -> Principal:
    """The identity and rights of `peer`. `group` is the gid of `slopn`; None where there is no such group."""
    member = group is not None and (group == peer.gid or group in peer.groups)
    rights = ALL_RIGHTS if peer.uid == 0 or member else Right(0)
    return Principal(uid=peer.uid, gid=peer.gid, pid=peer.pid, exe=peer.exe, rights=rights)


def refusal(who: Principal, command: Command) -> Refused | None:
    """None: `who` may. Else the refusal, in a sentence that says what would help."""
    needed = REQUIRED.get(type(command))
    if needed is not None and needed in who.rights:
        return None
    return Refused(
        ErrorKind.NOT_PERMITTED,
        f"You may not do this: only root and members of the group {GROUP} may use SloPN. "
        f"Join it with `sudo usermod -aG {GROUP} YOUR_NAME`, then log out and in again.",
    )
