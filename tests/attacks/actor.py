"""A process of another user that connects to the helper, as often as it is told, and hands the sockets to the test.

Who is at the other end of a Unix socket is settled when it connects (unix(7), SO_PEERCRED): whatever a test says over
such a socket, the helper hears it from this process. Run as a plain file, before any of our code is there:

    python -I -S actor.py [UID]      # its standard input is one end of a socket pair; no UID: it stays who it is
"""

from __future__ import annotations

import os
import socket
import sys

_CHANNEL = 0


def main(uid: int | None) -> None:
    """Connect to each path that comes, until there are no more."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    with socket.socket(fileno=os.dup(_CHANNEL)) as channel:
        channel.sendall(b"ready")
        while path := channel.recv(4096):
            with socket.socket(socket.AF_UNIX) as end:
                try:
                    # Blocking: a full queue of the listener is waited for, not an error.
                    end.connect(path)
                    socket.send_fds(channel, [b"0"], [end.fileno()])
                except OSError as error:
                    channel.sendall(str(error.errno).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
