"""One TCP connection from the client to the internet and back, to see whether it survives."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from typing import Self

from support.topology import WEB4, Lab

_PORT = 7007


class TcpEcho:
    """Connected while entered; what is `said` comes back over that one connection or not at all."""

    def __init__(self, lab: Lab, host: str = WEB4) -> None:
        self._lab = lab
        self._host = host

    def __enter__(self) -> Self:
        with self._lab.web.entered():
            self._listener = socket.create_server((self._host, _PORT))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        try:
            with self._lab.client.entered():
                self._socket = socket.socket()
            self._socket.settimeout(10.0)
            self._socket.connect((self._host, _PORT))
        except BaseException:
            self._listener.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10.0)

    def say(self, timeout: float) -> None:
        """Send a word and wait for it. Raises `OSError`: the connection is dead, or `timeout` seconds are over."""
        word = secrets.token_bytes(16)
        self._socket.settimeout(timeout)
        self._socket.sendall(word)
        heard = b""
        while len(heard) < len(word):
            part = self._socket.recv(len(word) - len(heard))
            if not part:
                raise ConnectionError("the other end has hung up")
            heard += part
        assert heard == word, "an answer to something else"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            peer, _ = self._listener.accept()
            with peer:
                while data := peer.recv(1024):
                    peer.sendall(data)
