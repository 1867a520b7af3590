"""Listens as another user and greets as the helper does; in the end it tells what clients have said.

python impostor.py UID SOCKET GREETING
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path


def main(uid: int, path: str, greeting: bytes, chain: str | None) -> None:
    """One client after the other, until killed; a line for each."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)  # noqa: PTH101, S103 - it is to be reached by everybody
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            end, _ = listener.accept()
            with end:
                end.settimeout(20.0)
                try:
                    end.sendall(greeting)
                    said = end.recv(1 << 16) if chain is None else _secured(end, chain)
                except OSError:
                    said = b""
            sys.stdout.write(f"{said.hex()}.\n")
            sys.stdout.flush()


def _secured(end: socket.socket, chain: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    with context.wrap_socket(end, server_side=True) as secured:
        return secured.recv(1 << 16)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_bytes(), sys.argv[4] if len(sys.argv) > 4 else None)
