"""A front end's side of the wire over a blocking socket, for programs that don't behave."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Self

from slopn_wire.codec import encode, greeting_decoder, server_decoder
from slopn_wire.commands import Command, Request
from slopn_wire.events import Reply, Result, ServerMessage
from slopn_wire.framing import MAX_MESSAGE, Deframer, frame
from slopn_wire.greeting import HOST, Greeting
from support.certificates import client_context

PATIENCE = 20.0


class Blunt:
    """A connection to the helper's socket, before the greeting."""

    def __init__(self, path: str) -> None:
        self.socket: socket.socket | ssl.SSLSocket = socket.socket(socket.AF_UNIX)
        # Blocking while it connects: a full queue of the listener is waited for, not an error.
        self.socket.connect(path)
        self.socket.settimeout(PATIENCE)
        self._frames = Deframer(MAX_MESSAGE)
        self._ready: list[bytes] = []
        self._ids = 0

    @classmethod
    def secured(cls, path: str, chain: Path | None) -> Self:
        """Connected, with TLS, showing the key and certificate in `chain`. Raises `OSError`, also if turned away."""
        client = cls(path)
        greeting = client.greeting()
        if greeting is None or greeting.refused is not None:
            client.socket.close()
            raise ConnectionRefusedError(greeting)
        context = client_context(greeting.authority)
        if chain is not None:
            context.load_cert_chain(chain)
        client.socket = context.wrap_socket(client.socket, server_hostname=HOST)
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def greeting(self) -> Greeting | None:
        """The helper's first word; None if it hung up."""
        header = self.socket.recv(4, socket.MSG_WAITALL)
        if len(header) < 4:
            return None
        raw = self.socket.recv(int.from_bytes(header, "big"), socket.MSG_WAITALL)
        greeting: Greeting = greeting_decoder.decode(raw)
        return greeting

    def send(self, command: Command, key: str = "") -> int:
        """A request; its id."""
        self._ids += 1
        self.socket.sendall(frame(encode(Request(self._ids, command, key))))
        return self._ids

    def read(self) -> ServerMessage | None:
        """The next message; None at the end."""
        while not self._ready:
            data = self.socket.recv(1 << 16)
            if not data:
                return None
            self._ready = list(self._frames.feed(data))
        message: ServerMessage = server_decoder.decode(self._ready.pop(0))
        return message

    def ask(self, command: Command, key: str = "") -> Result:
        """A request, and its reply as the very next message."""
        number = self.send(command, key)
        reply = self.read()
        assert isinstance(reply, Reply), reply
        assert reply.id == number
        return reply.result
