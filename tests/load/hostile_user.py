"""A hostile user who doesn't stop: one attack over and over, as fast as the helper lets it, until killed.

Arguments: attack, socket, file with key and certificate. Prints a line each time that the attack has done its worst.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from slopn_wire.codec import encode
from slopn_wire.commands import ImportProfile, Request
from slopn_wire.framing import frame
from support import hostile
from support.blunt import Blunt

_MOST = 40
_LOITERS = 1.0  # seconds for which what an attack has opened is held, before it begins anew
_CROWD = 300
_AGAIN = 30  # bytes after which lost connections are replaced
_REQUEST = frame(encode(Request(1, ImportProfile("slow", "x" * 100, "slow.conf"))))


def a_byte_at_a_time(path: str, chain: Path) -> None:
    """Slow loris: requests on as many connections as there may be, each of which takes as long as the helper lets it."""
    kept: list[Blunt] = []
    for each in range(len(_REQUEST) - 1):
        if each % _AGAIN == 0:
            _fill(kept, path, chain)
        for client in list(kept):
            try:
                client.socket.send(_REQUEST[each : each + 1])
            except OSError:
                client.socket.close()
                kept.remove(client)
        if each == _AGAIN:
            _done()
        time.sleep(0.1)


def a_crowd_that_queues(path: str, _: Path) -> None:
    """Hundreds that connect at the same time, and wait in line like everybody else."""
    with ThreadPoolExecutor(_CROWD) as threads:
        for each in [threads.submit(_connect_and_leave, path) for _number in range(10 * _CROWD)]:
            each.result()


def a_jostler(path: str, _: Path) -> None:
    """Doesn't wait in line, but tries for each place that gets free."""
    had = 0
    while had < 1000:
        with socket.socket(socket.AF_UNIX) as end, contextlib.suppress(BlockingIOError):
            end.setblocking(False)
            end.connect(path)
            had += 1


ATTACKS: dict[str, Callable[[str, Path], object]] = {
    **hostile.ATTACKS,
    "a_byte_at_a_time": a_byte_at_a_time,
    "a_crowd_that_queues": a_crowd_that_queues,
    "a_jostler": a_jostler,
}
"""All, by name. What each returns is kept open for a moment."""


def _connect_and_leave(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(path)


def _fill(kept: list[Blunt], path: str, chain: Path) -> None:
    """Open as many as the helper takes."""
    with contextlib.suppress(OSError):
        while len(kept) < _MOST:
            kept.append(Blunt.secured(path, chain))


def main(name: str, path: str, chain: Path) -> None:
    """See the module."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    while True:
        try:
            kept = ATTACKS[name](path, chain)
        except OSError as error:
            # To be turned away is what a hostile user must reckon with; a helper that is gone isn't what is measured.
            if error.errno in {errno.ECONNREFUSED, errno.ENOENT, errno.EACCES, errno.EMFILE}:
                raise
            kept = None
        _done()
        time.sleep(_LOITERS if kept else 0.0)
        del kept


def _done() -> None:
    sys.stdout.write('{"done": true}\n')
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
