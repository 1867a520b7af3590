"""The listening socket that systemd holds while the helper is started anew: who connects meanwhile waits, and is served.

Either the helper gave it to systemd itself (sd_pid_notify_with_fds(3), FileDescriptorStoreMax=), or a socket unit made it.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from slopn_helper import notify


class SystemdKeeper:
    """A `Keeper`. `inherited`: the sockets that systemd has started this process with, by name."""

    def __init__(self, inherited: list[tuple[str, socket.socket]], environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._inherited = inherited

    def held(self, path: Path) -> socket.socket | None:
        """See `Keeper.held`."""
        found: socket.socket | None = None
        for name, end in self._inherited:
            if found is None and _leads_to(end, name, path):
                end.setblocking(False)
                found = end
            else:
                notify.forget(name, self._environment)
                end.close()
        self._inherited = []
        return found

    def hold(self, listener: socket.socket, path: Path) -> None:
        """See `Keeper.hold`. Given a second time, it is still held once."""
        notify.keep(listener, _name(path), self._environment)


def by_systemd(environment: MutableMapping[str, str] = os.environ) -> SystemdKeeper | None:
    """None where no systemd has started us: then nobody holds anything."""
    return SystemdKeeper(notify.inherited(environment), environment) if environment.get("NOTIFY_SOCKET") else None


def _name(path: Path) -> str:
    # The socket doesn't know the name that it was given last. The inode tells another's at this path from ours.
    return f"{path.name}-{path.lstat().st_ino}"


def _leads_to(end: socket.socket, name: str, path: Path) -> bool:
    try:
        if end.family != socket.AF_UNIX or not end.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return False
        there = stat.S_ISSOCK(path.lstat().st_mode)
        return there and (name == _name(path) or end.getsockname() == str(path))
    except OSError:
        return False
