"""What small packets cost, and how long one takes: 64-byte datagrams at full rate, and pings beside a stream or without."""

from __future__ import annotations

import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench import measure
from bench.link import Ends, Tunnel

_PINGS = 200
_EVERY = 0.01


class Packets(NamedTuple):
    """What one run gave."""

    rate: float
    """64-byte UDP payloads a second that arrived, with one sender at full rate."""
    cpu: float | None
    """CPU microseconds of both engines for each of them; None without an engine."""
    idle: float
    """Milliseconds, median of 200 pings with nothing else under way."""
    loaded: float
    """The same beside one TCP stream."""
    foreign: float
    """As of a `Result`, while the datagrams were sent."""


def run(ends: Ends, tunnel: Tunnel, seconds: float) -> Packets:
    """Send datagrams for `seconds`, then ping. Raises `RuntimeError` with the program's own sentence when one fails."""
    seen = measure.observe(ends, tunnel, ["-u", "-l", "64", "-b", "0"], seconds)
    got = seen.report["end"]["sum_received"]
    arrived = got["packets"] - got["lost_packets"]
    idle = _pings(ends, tunnel)
    with measure.serving(ends, tunnel) as argv:
        stream = ends.client.popen([*argv, "-t", "60"], stdout=subprocess.DEVNULL)
        loaded = _pings(ends, tunnel)
        stream.terminate()
        stream.wait(10)
    cost = 1e6 * sum(seen.cpu) / arrived if tunnel.pids and arrived else None
    return Packets(arrived / got["seconds"], cost, idle, loaded, seen.foreign)


def render(results: Mapping[str, Sequence[Packets]]) -> str:
    """A Markdown table of medians, and of the rates' spread."""
    rows = [
        "| engine | 64-byte datagrams/s (least – most) | CPU µs each | ping ms, idle | loaded |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, some in results.items():
        rates = [one.rate for one in some]
        costs = [one.cpu for one in some if one.cpu is not None]
        cost = f"{statistics.median(costs):.1f}" if costs else "–"
        idle, loaded = (statistics.median(of) for of in ([one.idle for one in some], [one.loaded for one in some]))
        rows.append(
            f"| {name} | {statistics.median(rates):,.0f} ({min(rates):,.0f} – {max(rates):,.0f}) | {cost} | {idle:.2f} | {loaded:.2f} |"
        )
    return "\n".join(rows)


def _pings(ends: Ends, tunnel: Tunnel) -> float:
    done = ends.client.run(
        ["ping", "-c", str(_PINGS), "-i", str(_EVERY), "-W", "1", tunnel.address], check=False, timeout=60
    )
    times = [float(found) for found in re.findall(r"time=([0-9.]+)", done.stdout)]
    if not times:
        raise RuntimeError(f"ping: {done.stderr or done.stdout}")
    return statistics.median(times)
