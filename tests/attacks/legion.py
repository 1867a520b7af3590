"""Connects to the helper under one user's number after the other, as somebody with a user namespace of many can.

python legion.py FIRST LAST SOCKET      # prints a line when it has done so
"""

from __future__ import annotations

import os
import socket
import sys


def main(first: int, last: int, path: str) -> None:
    """Each connection is kept until the end, or until the helper hangs up."""
    kept = []
    for uid in range(first, last):
        os.seteuid(uid)
        end = socket.socket(socket.AF_UNIX)
        end.connect(path)
        kept.append(end)
        os.seteuid(0)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
