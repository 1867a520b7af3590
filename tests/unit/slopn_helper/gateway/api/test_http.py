from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.server import ServerState

from slopn_helper.gateway.api.http import Guarded, Patience, config
from slopn_helper.gateway.api.problems import Refused


class Wire(asyncio.Transport):
    """A transport whose other end has gone already: its socket knows no peer any more."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: Any) -> None:
        """Keep it."""
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        """As asyncio's."""
        return self.closed

    def close(self) -> None:
        """As asyncio's."""
        self.closed = True

    abort = close


class Told:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def waits(self) -> None:
        """See `Watcher`."""
        self.words.append("waits")

    def works(self) -> None:
        """See `Watcher`."""
        self.words.append("works")

    def left(self) -> None:
        """See `Watcher`."""
        self.words.append("left")

    def malformed(self, refused: Refused) -> None:
        """See `Watcher`."""
        self.words.append(refused.problem.code)


def test_whoever_has_gone_is_known_all_the_same() -> None:
    """Its address is that of the accepted connection; and the watcher hears each step of a request."""
    told, wire = Told(), Wire()
    clients = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        clients.append(scope["client"])
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def body() -> None:
        state = ServerState()
        protocol = Guarded(config(app, Patience()), state, Patience(), told, ("192.0.2.7", 4711))
        protocol.connection_made(wire)
        protocol.data_received(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{")
        await asyncio.sleep(0)
        assert told.words == []
        protocol.data_received(b"}")
        await asyncio.wait(set(state.tasks))
        protocol.data_received(b"\x00\r\n\r\n")
        protocol.connection_lost(None)

    asyncio.run(body())
    assert clients == [("192.0.2.7", 4711)]
    assert told.words == ["works", "waits", "bad_request", "left"]
    assert wire.sent.startswith(b"HTTP/1.1 204 ")
    assert b"HTTP/1.1 400 Bad Request" in wire.sent
    assert wire.closed
