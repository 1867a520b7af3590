"""One client's side of the protocol, sans-IO: bytes in, requests out; answers in, bytes out.

Each request gets one reply, in order; events and log lines come between replies. A frame that isn't a request ends
the conversation: the client is told once, in a reply with `id` 0, and nothing it sends afterwards is read.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from slopn_wire.codec import encode, request_decoder
from slopn_wire.commands import Request
from slopn_wire.events import ErrorKind, Refused, Reply, Result, ServerMessage
from slopn_wire.framing import MAX_MESSAGE, MAX_REQUEST, Deframer, FrameTooLarge, frame

CONNECTION_ID = 0
"""`id` of a reply that is about the connection itself, and so of no request."""
MAX_ID = (1 << 53) - 1
"""Largest `id` a client may choose: what every JSON reader keeps exactly."""


class Session:
    """The state of one conversation. `open` is False once a malformed frame has ended it."""

    def __init__(self) -> None:
        self.open = True
        self._frames = Deframer(MAX_REQUEST)

    def receive(self, data: bytes) -> Iterator[Request | Refused]:
        """Take received bytes; yields the requests they complete, and at most one `Refused` as the very last thing."""
        if not self.open:
            return
        try:
            for payload in self._frames.feed(data):
                yield _request(payload)
        except FrameTooLarge as error:
            yield self._end(str(error))
        except msgspec.DecodeError as error:
            yield self._end(f"not a request: {error}")
        except UnicodeDecodeError:
            yield self._end("not a request: a string in it is not UTF-8")
        except RecursionError:
            yield self._end("not a request: it is nested too deeply")

    def reply(self, request_id: int, result: Result) -> bytes:
        """The answer to a request, framed. An answer above the wire's limit becomes a refusal that says so."""
        payload = encode(Reply(request_id, result))
        if len(payload) > MAX_MESSAGE:
            payload = encode(Reply(request_id, Refused(ErrorKind.FAILED, "The answer is too large to send.")))
        return frame(payload)

    def farewell(self, refused: Refused) -> bytes:
        """The last frame of a connection that the helper ends, with the reason."""
        self.open = False
        return self.reply(CONNECTION_ID, refused)

    def message(self, message: ServerMessage) -> bytes:
        """An event, a log line or `Lagged`, framed."""
        return frame(encode(message))

    def _end(self, reason: str) -> Refused:
        self.open = False
        return Refused(ErrorKind.INVALID, reason)


def _request(payload: bytes) -> Request:
    request = request_decoder.decode(payload)
    if not CONNECTION_ID < request.id <= MAX_ID:
        raise msgspec.ValidationError(f"`id` must be from 1 to {MAX_ID}")
    return request
