"""A capture of what comes in on a namespace's devices, counted by the kind of leak."""

from __future__ import annotations

import collections
import contextlib
import copy
import errno
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from support.frames import Allowed, classify
from support.netns import Namespace
from support.until import until

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_IGNORE_OUTGOING = 23
_SO_RCVBUFFORCE = 33
_SO_ATTACH_FILTER = 26
_SNAPLEN = 512
_SAMPLES = 3

GATEWAYS = frozenset({("203.0.113.10", 51820), ("2001:db8:9::10", 51820)})
"""The lab's WireGuard endpoints."""


@dataclass
class Tally:
    """What a capture has counted since it was reset."""

    frames: int = 0
    leaks: collections.Counter[str] = field(default_factory=collections.Counter)
    by_device: collections.Counter[str] = field(default_factory=collections.Counter)
    """Leaks by the device that they came in on."""
    allowed_by_device: collections.Counter[str] = field(default_factory=collections.Counter)
    """WireGuard, ARP and the like: shows which uplink the tunnel uses."""
    samples: dict[str, list[str]] = field(default_factory=dict)
    """Up to three frames of each class, hexadecimal, from the Ethernet header on."""
    last_leak: float | None = None
    """`time.monotonic()` at which the last leak was seen."""

    @property
    def total(self) -> int:
        """All leaked frames."""
        return self.leaks.total()

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.leaks.items()))
        return f"{self.total} of {self.frames} frames leaked" + (f" ({kinds})" if kinds else "")


class Capture:
    """Counts the frames that come in on `devices` of `namespace` while it is entered.

    Ends with `AssertionError` if the kernel had to drop frames: a capture that may have missed one proves nothing.
    """

    def __init__(
        self,
        namespace: Namespace,
        devices: Iterable[str],
        *,
        allow_lan: bool = False,
        gateways: frozenset[tuple[str, int]] = GATEWAYS,
    ) -> None:
        self._namespace = namespace
        self._devices = tuple(devices)
        self.allowed = Allowed(gateways, allow_lan)
        self.dropped = 0
        self._tally = Tally()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sockets: dict[str, socket.socket] = {}
        self._handled = 0
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        with self._namespace.entered():
            for device in self._devices:
                self._sockets[device] = _open(device)
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._count_drops()
        for sock in self._sockets.values():
            sock.close()
        if kind is None:
            self.check()

    def tally(self) -> Tally:
        """The counters since the last `reset`, as of the frames that have already arrived."""
        self.settle()
        with self._lock:
            return copy.deepcopy(self._tally)

    def reset(self) -> Tally:
        """Start counting anew and return what was counted until now."""
        self.settle()
        with self._lock:
            done, self._tally = self._tally, Tally()
        return done

    def check(self) -> None:
        """Raise `AssertionError` if a frame may have been missed."""
        assert self._error is None, f"the capture failed: {self._error!r}"
        assert self.dropped == 0, f"the capture missed {self.dropped} frames: the machine is too busy for this rate"

    def settle(self) -> None:
        """Wait until the frames that have already arrived are counted."""
        seen = self._handled
        # Two passes of the reading thread: the first may have begun before the last frame came.
        until(lambda: self._handled >= seen + 2 or not self._thread.is_alive(), 10.0, "the capture has caught up")

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                for device, sock in self._sockets.items():
                    selector.register(sock, selectors.EVENT_READ, device)
                while not self._stop.is_set():
                    for key, _ in selector.select(0.02):
                        self._drain(self._sockets[key.data], key.data)
                    self._count_drops()
                    self._handled += 1
        except BaseException as error:  # noqa: BLE001 - the thread's failure is the test's
            self._error = error

    def _drain(self, sock: socket.socket, device: str) -> None:
        while not self._stop.is_set():
            try:
                frame = sock.recv(65536)
            except BlockingIOError:
                return
            except OSError as error:
                # A pulled cable: reported once, and the socket goes on when the device is up again.
                if error.errno == errno.ENETDOWN:
                    continue
                raise
            kind = classify(frame, self.allowed)
            with self._lock:
                tally = self._tally
                tally.frames += 1
                if kind is None:
                    tally.allowed_by_device[device] += 1
                    continue
                tally.leaks[kind] += 1
                tally.by_device[device] += 1
                tally.last_leak = time.monotonic()
                if len(samples := tally.samples.setdefault(kind, [])) < _SAMPLES:
                    samples.append(frame[:96].hex())

    def _count_drops(self) -> None:
        for sock in self._sockets.values():
            with contextlib.suppress(OSError):
                # Reading the statistics sets them to zero.
                self.dropped += struct.unpack("II", sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]


def _open(device: str) -> socket.socket:
    # Bound to no protocol until everything is set, so that nothing arrives unfiltered.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        _cut_frames(sock)
        sock.setblocking(False)
        sock.bind((device, _ETH_P_ALL))
    except BaseException:
        sock.close()
        raise
    return sock


def _cut_frames(sock: socket.socket) -> None:
    """Keep only the start of each frame: a BPF program of the one instruction `ret #_SNAPLEN`."""
    import ctypes

    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, _SNAPLEN))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
