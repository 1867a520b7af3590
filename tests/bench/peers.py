"""Ten thousand peers in one engine: how long it takes to configure them, what they weigh, and whether one busy peer notices."""

from __future__ import annotations

import base64
import secrets
import statistics
import time
from typing import NamedTuple

from bench import engines, link, measure
from bench.link import INTERFACE, Ends
from bench.measure import Result
from support.until import until

COUNT = 10_000


class Crowd(NamedTuple):
    """What `others` idle peers cost the server's engine, beside the one that is busy."""

    others: int
    configured: tuple[float, ...]
    """Seconds of `wg addconf`, each time."""
    removed: tuple[float, ...]
    """Seconds until `wg syncconf` had taken them out again."""
    kib_each: float
    """KiB resident for each, the first time."""
    idle: float
    """CPU seconds a second with nobody talking."""
    alone: tuple[Result, ...]
    """The busy peer's stream without the others, once a round."""
    among: tuple[Result, ...]
    """And with them."""


def run(rounds: int, seconds: float, count: int = COUNT) -> Crowd:
    """Add and remove them `rounds` times. Each round has a stream with them and one without, now this first, now that."""
    configured, removed = [], []
    alone: list[Result] = []
    among: list[Result] = []
    idle = 0.0
    with link.ends() as ends, link.tunnel(ends, engines.ours()) as tunnel:
        server = tunnel.pids[1]
        own = ends.server.run(["wg", "showconf", INTERFACE]).stdout
        crowd = _crowd(count)
        light, heavy = measure.rss(server)[0], 0
        for number in range(rounds):
            if number % 2 == 0:
                alone.append(measure.run(ends, tunnel, measure.CASES[0], seconds))
            start = time.monotonic()
            ends.server.run(["wg", "addconf", INTERFACE, "/dev/stdin"], input=crowd)
            configured.append(time.monotonic() - start)
            _counted(ends, count + 1)
            heavy = heavy or measure.rss(server)[0]
            if number == 0:
                idle = _idle(server)
            among.append(measure.run(ends, tunnel, measure.CASES[0], seconds))
            start = time.monotonic()
            ends.server.run(["wg", "syncconf", INTERFACE, "/dev/stdin"], input=own)
            removed.append(time.monotonic() - start)
            _counted(ends, 1)
            if number % 2:
                alone.append(measure.run(ends, tunnel, measure.CASES[0], seconds))
    each = (heavy - light) / count
    return Crowd(count, tuple(configured), tuple(removed), each, idle, tuple(alone), tuple(among))


def render(crowd: Crowd) -> str:
    """Sentences with the medians, and how far they lie from the targets."""
    median = statistics.median
    pairs = list(zip(crowd.among, crowd.alone, strict=True))
    speeds = median(with_them.gbps / without.gbps for with_them, without in pairs)
    costs = median((with_them.seconds_per_gb or 0) / (without.seconds_per_gb or 1) for with_them, without in pairs)
    return (
        f"{crowd.others} peers: configured by wg in {median(crowd.configured):.2f} s (2 at most), removed in "
        f"{median(crowd.removed):.2f} s; {crowd.kib_each:.1f} KiB each (6 at most); idle {100 * crowd.idle:.1f} % of a core\n"
        f"one busy peer among them: {median(one.gbps for one in crowd.among):.2f} Gb/s, alone "
        f"{median(one.gbps for one in crowd.alone):.2f} Gb/s; round by round {speeds:.2f} (0.95 at least) for "
        f"{costs:.2f} times the CPU seconds a gigabyte"
    )


def _crowd(count: int) -> str:
    """Peers that nobody is: each has a key, an IPv4 and an IPv6 address."""
    peers = (
        f"[Peer]\nPublicKey = {base64.b64encode(secrets.token_bytes(32)).decode()}\n"
        f"AllowedIPs = 10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32, fd10::{n:x}/128\n"
        for n in range(count)
    )
    return "".join(peers)


def _counted(ends: Ends, count: int) -> None:
    def all_there() -> bool:
        return len(ends.server.run(["wg", "show", INTERFACE, "peers"]).stdout.splitlines()) == count

    until(all_there, 30, f"{count} peers")


def _idle(pid: int, seconds: float = 4.0) -> float:
    before, start = measure.cpu(pid), time.monotonic()
    time.sleep(seconds)
    return (measure.cpu(pid) - before) / (time.monotonic() - start)
