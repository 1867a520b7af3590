"""A steady stream of small datagrams to the internet's echo, to see for how long nothing came back."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import time
from typing import Self

from support.internet import UDP_ECHO
from support.netns import Namespace
from support.until import until


class EchoStream:
    """One datagram every `interval` seconds from `namespace` to `host`, on one unconnected socket, while entered."""

    def __init__(self, namespace: Namespace, host: str, *, interval: float = 0.005) -> None:
        self._namespace = namespace
        self._to = (host, UDP_ECHO)
        self._interval = interval
        self._answers: list[float] = []
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        with self._namespace.entered():
            family = socket.AF_INET6 if ":" in self._to[0] else socket.AF_INET
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(0.05)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def wait_answer(self, after: float, timeout: float, what: str) -> float:
        """Return the time (`time.monotonic()`) of the first answer that came later than `after`."""
        until(lambda: self._answers and self._answers[-1] > after, timeout, what)
        return next(at for at in self._answers if at > after)

    def longest_gap(self, since: float) -> float:
        """The longest time in seconds without an answer since `since`, up to now."""
        times = [since, *(at for at in self._answers if at > since), time.monotonic()]
        return max(later - earlier for earlier, later in itertools.pairwise(times))

    def _send(self) -> None:
        number = 0
        while not self._stop.wait(self._interval):
            number += 1
            with contextlib.suppress(OSError):
                self._socket.sendto(struct.pack("!Q", number), self._to)

    def _receive(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                if len(self._socket.recv(64)) == 8:
                    self._answers.append(time.monotonic())
