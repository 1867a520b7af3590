"""Many clients that watch, as cheap as they can be: a process of its own, with one thread and no more of each event than
its number.

Arguments: socket, how many. Prints a line once all of them watch; then waits for a line on stdin with the number of the
last event; once each client has seen that one, or nothing has come for some seconds, prints one JSON document.
"""

from __future__ import annotations

import json
import select
import ssl
import sys
import time

import msgspec

from slopn_app.bootstrap import host
from slopn_app.link import HOST
from slopn_app.pairing import Pairing
from slopn_wire.codec import encode
from slopn_wire.commands import Request, Watch
from slopn_wire.framing import MAX_MESSAGE, Deframer, frame

_PATIENCE = 10.0
_CHUNK = 1 << 16


class _Message(msgspec.Struct):
    type: str
    seq: int = -1


class _First(msgspec.Struct):
    """The reply to the watch."""

    result: _Message


class _Told(msgspec.Struct):
    rx_bytes: int = 0


class _Event(msgspec.Struct):
    body: _Told


_message = msgspec.json.Decoder(_Message)
_first = msgspec.json.Decoder(_First)
_event = msgspec.json.Decoder(_Event)


class Watcher:
    """One client. `gaps`: what came instead of the next number."""

    def __init__(self, stream: ssl.SSLSocket) -> None:
        self.stream = stream
        self.seq = -1
        self.events = 0
        self.gaps: list[str] = []
        self.delays: list[float] | None = None
        """Seconds from the telling of each event to its arrival; None: not of interest."""
        self._frames = Deframer(MAX_MESSAGE)

    def read(self) -> bool:
        """Take all that is there. False: the helper hung up."""
        try:
            while True:
                data = self.stream.recv(_CHUNK)
                if not data:
                    self.gaps.append("hung up")
                    return False
                for payload in self._frames.feed(data):
                    self._take(payload)
        except ssl.SSLWantReadError:
            return True

    def _take(self, payload: bytes) -> None:
        message = _message.decode(payload)
        if message.type == "event":
            if message.seq != self.seq + 1:
                self.gaps.append(f"{self.seq} → {message.seq}")
            self.seq = message.seq
            self.events += 1
            if self.delays is not None:
                self.delays.append(time.monotonic() - _event.decode(payload).body.rx_bytes / 1e9)
        elif message.type == "reply" and self.seq < 0:
            self.seq = _first.decode(payload).result.seq
        else:
            self.gaps.append(message.type)


def connect(path: str, count: int) -> list[Watcher]:
    """So many clients of one front end that watch."""
    pairing = Pairing("tray", host(), path, ask=None, say=lambda _: None)
    pairing.link(_PATIENCE).close()  # pairs
    watchers = []
    for _ in range(count):
        contact = pairing.contact(_PATIENCE)
        stream = contact.context.wrap_socket(contact.stream, server_hostname=HOST)  # type: ignore[arg-type]
        stream.sendall(frame(encode(Request(1, Watch()))))
        stream.setblocking(False)
        watchers.append(Watcher(stream))
    return watchers


def main(path: str, count: int) -> None:
    """See the module."""
    watchers = connect(path, count)
    watchers[0].delays = []
    poll = select.epoll()
    by_number = {watcher.stream.fileno(): watcher for watcher in watchers}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    announced = False
    last: int | None = None
    while last is None or any(watcher.seq < last for watcher in by_number.values()):
        ready = poll.poll(_PATIENCE if last is not None else None)
        if not ready:
            break
        for number, _ in ready:
            if number == sys.stdin.fileno():
                last = int(sys.stdin.readline())
                poll.unregister(number)
            elif not by_number[number].read():
                poll.unregister(number)
                del by_number[number]
        if not announced and all(watcher.seq >= 0 for watcher in watchers):
            announced = True
            _say({"watching": count})
    _say(
        {
            "last": [watcher.seq for watcher in watchers],
            "events": [watcher.events for watcher in watchers],
            "gaps": [gap for watcher in watchers for gap in watcher.gaps],
            "delays": watchers[0].delays,
        }
    )


def _say(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
