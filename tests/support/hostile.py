"""A hostile local user: a process that becomes another user, attacks the helper, says when it has done its worst, and
holds on to all it has until its standard input is closed.

    python -m support.hostile ATTACK SOCKET CHAIN UID
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from slopn_wire.codec import encode
from slopn_wire.commands import Connect, FollowLogs, GetLogs, ImportProfile, Request, Watch
from slopn_wire.framing import MAX_REQUEST, frame
from support.blunt import Blunt

ATTACKS: dict[str, Callable[[str, Path], object]] = {}
"""What each returns is kept open."""


def attack(function: Callable[[str, Path], object]) -> Callable[[str, Path], object]:
    """One of the table."""
    ATTACKS[function.__name__] = function
    return function


@attack
def ten_thousand_connections(path: str, _: Path) -> object:
    """Opened and kept, not a byte said."""
    kept = []
    for _number in range(10_000):
        kept.append(socket.socket(socket.AF_UNIX))
        kept[-1].connect(path)
    return kept


@attack
def connections_that_end_at_once(path: str, _: Path) -> None:
    """As fast as they can be made."""
    for _number in range(5000):
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(path)


@attack
def handshakes_that_never_end(path: str, _: Path) -> object:
    """The beginning of a ClientHello, from as many as there may be."""
    kept = []
    for _number in range(1000):
        kept.append(socket.socket(socket.AF_UNIX))
        kept[-1].connect(path)
        with contextlib.suppress(OSError):
            kept[-1].send(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03")
    return kept


@attack
def handshakes_one_after_the_other(path: str, chain: Path) -> None:
    """Each with a certificate, so that the helper has to verify it."""
    for _number in range(66):
        with contextlib.suppress(OSError):
            Blunt.secured(path, chain).socket.close()


@attack
def halves_of_large_requests(path: str, chain: Path) -> object:
    """On as many connections as there may be, almost a megabyte each."""
    half = (
        struct.pack("!I", MAX_REQUEST)
        + b'{"id":1,"command":{"type":"import_profile","text":"'
        + b"x" * (MAX_REQUEST - 99)
    )
    kept = list(_connections(path, chain))
    for start in range(0, len(half), 1 << 14):
        for client in kept:
            _push(client, half[start : start + (1 << 14)])
    return kept


@attack
def large_requests(path: str, chain: Path) -> object:
    """One after the other, of letters that take four times their room in memory."""
    raw = frame(encode(Request(1, ImportProfile("a", "\U0001f600" + "x" * (MAX_REQUEST - 200), "a.conf"))))
    kept = list(_connections(path, chain))
    for client in kept:
        for start in range(0, len(raw), 1 << 14):
            _push(client, raw[start : start + (1 << 14)])
    return kept


@attack
def answers_that_nobody_reads(path: str, chain: Path) -> object:
    """The whole log, asked for again and again on every connection."""
    kept = list(_connections(path, chain))
    for client in kept:
        _push(client, b"".join(frame(encode(Request(number, GetLogs()))) for number in range(1, 20)))
    return kept


@attack
def watchers_that_never_read(path: str, chain: Path) -> object:
    """Events and log."""
    kept = list(_connections(path, chain))
    for client in kept:
        _push(client, frame(encode(Request(1, Watch()))) + frame(encode(Request(2, FollowLogs()))))
    return kept


@attack
def a_flood_of_commands(path: str, chain: Path) -> object:
    """Each under a key of its own, as fast as the helper takes them."""
    kept = list(_connections(path, chain))
    for number in range(1, 30):
        for client in kept:
            keys = (f"{number}-{each}" for each in range(20))
            _push(client, b"".join(frame(encode(Request(number, Connect("a"), key))) for key in keys))
    return kept


@attack
def deep_json(path: str, chain: Path) -> None:
    """A megabyte of brackets, from one connection after the other."""
    raw = frame(b'{"id":1,"command":{"type":"import_profile","name":' + b"[" * (MAX_REQUEST - 100))
    for _number in range(40):
        with contextlib.suppress(OSError), Blunt.secured(path, chain) as client:
            client.socket.sendall(raw)
            client.read()


def _connections(path: str, chain: Path) -> Iterator[Blunt]:
    """As many as one user is let have at a time."""
    with contextlib.suppress(OSError):
        while True:
            yield Blunt.secured(path, chain)


def _push(client: Blunt, raw: bytes) -> None:
    """Send as much as the helper takes without being waited for."""
    client.socket.settimeout(0.01)
    with contextlib.suppress(OSError, ssl.SSLError):
        client.socket.send(raw)


def main(name: str, path: str, chain: Path, uid: int) -> None:
    """Be hostile."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    kept = ATTACKS[name](path, chain)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    sys.stdin.read()
    del kept


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
