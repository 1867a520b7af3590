"""Tells systemd how this service fares: sd_notify(3), a datagram to the socket that it names in the environment.

Started by anybody else, nobody is told, and nothing here fails: a service manager that doesn't listen is no reason to
let a tunnel down.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence

READY = "READY=1"
"""Started up: what is ordered after this service may start."""
STOPPING = "STOPPING=1"
"""Told to end, and undoing what is to be undone."""
ALIVE = "WATCHDOG=1"
"""The event loop goes round."""
_FIRST_FD = 3  # sd_listen_fds(3)
_GIVEN = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def tell(message: str, environment: Mapping[str, str] = os.environ, fds: Sequence[int] = ()) -> None:
    """Send `message`: lines of NAME=VALUE, as in sd_notify(3). Without effect where no service manager asked."""
    path = environment.get("NOTIFY_SOCKET", "")
    if path.startswith(("/", "@")):
        # A leading @ stands for the zero byte of an abstract name, unix(7).
        address = f"\0{path[1:]}" if path.startswith("@") else path
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            handed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            sock.sendmsg([message.encode()], handed, 0, address)


def keep(end: socket.socket, name: str, environment: Mapping[str, str] = os.environ) -> None:
    """Let systemd hold `end` for the next start of this service, under `name`, as its FileDescriptorStoreMax= allows."""
    tell(f"FDSTORE=1\nFDNAME={name}", environment, [end.fileno()])


def forget(name: str, environment: Mapping[str, str] = os.environ) -> None:
    """Let systemd hold no longer what `keep` has given it under `name`."""
    tell(f"FDSTOREREMOVE=1\nFDNAME={name}", environment)


def inherited(
    environment: MutableMapping[str, str] = os.environ, first: int = _FIRST_FD
) -> list[tuple[str, socket.socket]]:
    """The sockets that systemd has started this process with, by name: from `keep`, or from a socket unit.

    As in sd_listen_fds(3), `first` and those after it; a second call returns none, and no child takes them for its own.
    """
    given = {name: environment.pop(name, "") for name in _GIVEN}
    if given["LISTEN_PID"] != str(os.getpid()) or not given["LISTEN_FDS"].isdecimal():
        return []
    names = given["LISTEN_FDNAMES"].split(":")
    found = []
    for number, name in zip(range(first, first + int(given["LISTEN_FDS"])), names, strict=False):
        # A FIFO or the like, from another's socket unit, is none of ours.
        with contextlib.suppress(OSError):
            os.set_inheritable(number, False)
            found.append((name, socket.socket(fileno=number)))
    return found


async def keep_alive(environment: Mapping[str, str] = os.environ) -> None:
    """Tell twice in each of the watchdog's periods that the event loop goes round, until cancelled.

    Returns at once where the unit has no WatchdogSec=, or where it is another process's, sd_watchdog_enabled(3).
    """
    period = watchdog_period(environment)
    while period is not None:
        tell(ALIVE, environment)
        await asyncio.sleep(period / 2)


def watchdog_period(environment: Mapping[str, str]) -> float | None:
    """Seconds without a sign of life after which systemd kills this process; None: never."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    micros = environment.get("WATCHDOG_USEC", "")
    return int(micros) / 1e6 if micros.isascii() and micros.isdecimal() and int(micros) > 0 else None
