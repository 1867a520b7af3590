"""One client's side of the protocol, sans-IO: bytes in, requests out; answers in, bytes out.

Each request gets one reply, in order; events and log lines come between replies. A frame that isn't a request ends
the conversation: the client is told once, in a reply with `id` 0, and nothing it sends afterwards is read.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from slopn_wire.codec import decoder, encode_into, request_decoder
from slopn_wire.commands import ImportProfile, Replay, Request
from slopn_wire.events import ErrorKind, Refused, Reply, Result, ServerMessage
from slopn_wire.framing import HEADER, MAX_MESSAGE, MAX_REQUEST, Deframer, FrameTooLarge

CONNECTION_ID = 0
"""`id` of a reply that is about the connection itself, and so of no request."""
MAX_ID = (1 << 53) - 1
"""Largest `id` a client may choose: what every JSON reader keeps exactly."""
MAX_KEY = 64
"""Longest `key` of a request, in characters."""
SHORT = 1 << 13
"""Largest request, in bytes, but for those that carry a file.

A megabyte of small values, such as addresses, would become twenty megabytes of objects and a second of work.
"""


class Session:
    """The state of one conversation. `open` is False once a malformed frame has ended it.

    `files`: whether requests with a file in them, up to `MAX_REQUEST`, are taken; others are at most `SHORT`.
    """

    def __init__(self, *, files: bool = True) -> None:
        self.open = True
        self.waiting = 0
        """Bytes that were received and belong to no request that came out yet."""
        self.size = 0
        """Bytes of the request that came out last."""
        self._frames = Deframer(MAX_REQUEST if files else SHORT)

    def receive(self, data: bytes) -> Iterator[Request | Refused]:
        """Take received bytes; yields the requests they complete, and at most one `Refused` as the very last thing."""
        if not self.open:
            return
        self.waiting += len(data)
        try:
            # Neither a frame nor its request is kept in a variable here: both may be a file, and to answer takes a while.
            yield from map(self._taken, self._frames.feed(data))
        except FrameTooLarge as error:
            yield self._end(str(error))
        except msgspec.DecodeError as error:
            yield self._end(f"not a request: {error}")
        except UnicodeDecodeError:
            yield self._end("not a request: a string in it is not UTF-8")
        except RecursionError:
            yield self._end("not a request: it is nested too deeply")

    def reply(self, request_id: int, result: Result) -> bytearray:
        """The answer to a request, framed. An answer above the wire's limit becomes a refusal that says so."""
        framed = self.message(Reply(request_id, result))
        if len(framed) > HEADER.size + MAX_MESSAGE:
            framed = self.message(Reply(request_id, Refused(ErrorKind.FAILED, "The answer is too large to send.")))
        return framed

    def farewell(self, refused: Refused) -> bytearray:
        """The last frame of a connection that the helper ends, with the reason."""
        self.open = False
        return self.reply(CONNECTION_ID, refused)

    def forget(self) -> None:
        """Let go of what was received and is no whole request: up to a megabyte, while the last words leave."""
        self.open, self.waiting = False, 0
        self._frames = Deframer(0)

    def message(self, message: ServerMessage) -> bytearray:
        """What comes between replies, framed. Made in one piece: a large answer isn't in memory twice."""
        framed = bytearray(HEADER.size)
        encode_into(message, framed, HEADER.size)
        HEADER.pack_into(framed, 0, len(framed) - HEADER.size)
        return framed

    def _taken(self, payload: bytes) -> Request:
        self.size = len(payload)
        self.waiting -= HEADER.size + self.size
        return _request(payload)

    def _end(self, reason: str) -> Refused:
        self.open = False
        return Refused(ErrorKind.INVALID, reason)


class _FileRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A `Request` whose command carries a file: text and numbers alone, which take no more room than their JSON."""

    id: int
    command: ImportProfile | Replay
    key: str = ""


_file_decoder: msgspec.json.Decoder[_FileRequest] = decoder(_FileRequest)


def _request(payload: bytes) -> Request:
    if len(payload) <= SHORT:
        request = request_decoder.decode(payload)
    else:
        long = _file_decoder.decode(payload)
        request = Request(long.id, long.command, long.key)
    if not CONNECTION_ID < request.id <= MAX_ID:
        raise msgspec.ValidationError(f"`id` must be from 1 to {MAX_ID}")
    if len(request.key) > MAX_KEY:
        raise msgspec.ValidationError(f"`key` must have at most {MAX_KEY} characters")
    return request
