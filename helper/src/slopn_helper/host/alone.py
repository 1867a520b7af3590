"""One helper at a time for one set of rules, routes and interfaces, wherever each keeps its state.

A name of the abstract kind, unix(7): it belongs to the network namespace, as what the helper changes does, and is free as
soon as its holder has died in any way.
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
import time

NAME = "\0slopn-helper"
WITHIN = 2.0
"""Seconds for one that is just ending."""
_LOOK_EVERY = 0.02
_SO_PEERCRED = 17

log = logging.getLogger(__name__)


class NotAlone(OSError):
    """Another helper is at work on this network; the message names its process."""


def hold(within: float = WITHIN) -> socket.socket:
    """Be the only one for as long as the socket is open. Raises `NotAlone`.

    The name is no secret: one that somebody else than root has taken keeps nobody out.
    """
    mine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if _bound(mine, within):
        mine.listen()
        return mine
    # Asked once: nobody takes these calls off the queue.
    pid, uid = _holder()
    if uid:
        log.warning("process %d of user %d has taken a name of ours; nobody is kept out by it", pid, uid)
        return mine
    mine.close()
    who = f"process {pid}" if pid else "another process"
    raise NotAlone(
        f"{who} is at work on this network, with a state directory of its own; end it first, or give its --state-dir"
    )


def _bound(mine: socket.socket, within: float) -> bool:
    """Take the name; False if somebody else has it for so long."""
    deadline = time.monotonic() + within
    while True:
        try:
            mine.bind(NAME)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_EVERY)
        else:
            return True


def _holder() -> tuple[int, int]:
    """Process and user of who listens there; 0: it can't be told, or nobody does any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.setblocking(False)
        try:
            asked.connect(NAME)
        except OSError:
            return 0, 0
        pid, uid, _ = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, _SO_PEERCRED, struct.calcsize("3i")))
        return pid, uid
