"""How fast the tunnel's counters rise, in numbers that stand still. Pure: the caller brings the time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.cli.snapshot_documents import StatsDoc

_UNITS = ("B/s", "KB/s", "MB/s", "GB/s")
_STALE = 3.0
"""Seconds without a new counter after which nothing is flowing."""
_SHORTEST = 0.2
"""Seconds: counters nearer to each other say too little."""


class Rates:
    """Received and sent, each with a unit that changes rarely."""

    def __init__(self) -> None:
        self._at = 0.0
        self._seen: tuple[int, int] | None = None
        self._speeds = (0.0, 0.0)
        self._scales = (Scale(), Scale())

    def add(self, stats: StatsDoc, at: float) -> None:
        """Counters as of `at`, in seconds of a clock that never goes back."""
        counters = (stats["rx_bytes"], stats["tx_bytes"])
        if self._seen is not None and at - self._at < _SHORTEST:
            return
        if self._seen is not None:
            seconds = at - self._at
            received, sent = (new - old for new, old in zip(counters, self._seen, strict=True))
            # A tunnel that begins anew counts from nothing.
            self._speeds = (max(received, 0) / seconds, max(sent, 0) / seconds)
        self._seen, self._at = counters, at

    def text(self, at: float) -> str:
        """Both directions at `at`."""
        received, sent = self._speeds if at - self._at < _STALE else (0.0, 0.0)
        down, up = self._scales
        return f"↓ {down.text(received)}  ↑ {up.text(sent)}"


class Scale:
    """A unit that gives way only when a number no longer fits it well: above 1000, or below a tenth of it."""

    def __init__(self) -> None:
        self._power = 1

    def text(self, speed: float) -> str:
        """Bytes a second in the unit of before, if that will do; always equally wide."""
        while self._power < len(_UNITS) - 1 and speed >= 1000 ** (self._power + 1):
            self._power += 1
        while self._power > 1 and speed < 100 * 1000 ** (self._power - 1):
            self._power -= 1
        return f"{speed / 1000**self._power:5.1f} {_UNITS[self._power]}"
