"""Tells systemd how this service fares: sd_notify(3), a datagram to the socket that it names in the environment.

Started by anybody else, nobody is told, and nothing here fails: a service manager that doesn't listen is no reason to
let a tunnel down.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping

READY = "READY=1"
"""Started up: what is ordered after this service may start."""
STOPPING = "STOPPING=1"
"""Told to end, and undoing what is to be undone."""
ALIVE = "WATCHDOG=1"
"""The event loop goes round."""


def tell(message: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send `message`: lines of NAME=VALUE, as in sd_notify(3). Without effect where no service manager asked."""
    path = environment.get("NOTIFY_SOCKET", "")
    if path.startswith(("/", "@")):
        # A leading @ stands for the zero byte of an abstract name, unix(7).
        address = f"\0{path[1:]}" if path.startswith("@") else path
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(message.encode(), address)


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
