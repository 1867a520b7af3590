"""A Unix socket that says what a test wants to its one client."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_TIMEOUT = 20.0


@contextlib.contextmanager
def server(folder: Path, speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A socket whose one client is spoken to; its path."""
    path = str(folder / "x")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    speak(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(_TIMEOUT)


def says(*sent: bytes) -> Callable[[socket.socket], None]:
    """Says that and hangs up once the client has."""

    def speak(peer: socket.socket) -> None:
        for data in sent:
            peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        peer.recv(100)

    return speak
