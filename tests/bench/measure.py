"""One run of iperf3, and what it cost."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.link import Ends, Tunnel

_TICKS = os.sysconf("SC_CLK_TCK")


class Case(NamedTuple):
    """How many TCP streams, and whether the server is the one that sends."""

    streams: int
    reverse: bool

    @property
    def name(self) -> str:
        """As in `4R`: four streams, downwards."""
        return f"{self.streams}{'R' if self.reverse else ''}"


CASES = (Case(1, reverse=False), Case(1, reverse=True), Case(4, reverse=False), Case(4, reverse=True))


class Result(NamedTuple):
    """What one run gave. CPU seconds are the engines' alone, client and server."""

    gbps: float
    """10⁹ bits of payload a second, as the receiver counted them."""
    gigabytes: float
    """10⁹ bytes of payload."""
    cpu: tuple[float, ...]
    seconds_per_gb: float | None
    """CPU seconds of both ends for each 10⁹ bytes; `None` without an engine."""
    foreign: float
    """Part of the machine's CPU time that neither the engines nor iperf3 used, from 0 to 1; what others were doing."""
    steal: float
    """CPU seconds that the host took away."""
    retransmits: int
    rss: tuple[int, ...]
    """Resident set after the run, in KiB, client and server."""
    peak_rss: tuple[int, ...]


class Observed(NamedTuple):
    """What iperf3 reported, and what the machine did meanwhile."""

    report: dict[str, Any]
    cpu: tuple[float, ...]
    foreign: float
    steal: float


def run(ends: Ends, tunnel: Tunnel, case: Case, seconds: float) -> Result:
    """Send for `seconds` and measure. Raises `RuntimeError` with iperf3's own sentence when it fails."""
    seen = observe(ends, tunnel, ["-P", str(case.streams), *["-R"] * case.reverse], seconds)
    received = seen.report["end"]["sum_received"]
    gigabytes = received["bytes"] / 1e9
    return Result(
        gbps=received["bits_per_second"] / 1e9,
        gigabytes=gigabytes,
        cpu=seen.cpu,
        seconds_per_gb=sum(seen.cpu) / gigabytes if seen.cpu and gigabytes else None,
        foreign=seen.foreign,
        steal=seen.steal,
        retransmits=seen.report["end"]["sum_sent"].get("retransmits", 0),
        rss=tuple(rss(pid)[0] for pid in tunnel.pids),
        peak_rss=tuple(rss(pid)[1] for pid in tunnel.pids),
    )


def observe(ends: Ends, tunnel: Tunnel, arguments: Sequence[str], seconds: float) -> Observed:
    """Run iperf3 with these arguments for `seconds`. Raises `RuntimeError` with its own sentence when it fails."""
    with serving(ends, tunnel) as argv:
        before, machine, begun = [cpu(pid) for pid in tunnel.pids], _machine(), time.monotonic()
        done = ends.client.run([*argv, "-t", f"{seconds:g}", *arguments], check=False, timeout=seconds + 30)
        used = tuple(after - b for b, after in zip(before, map(cpu, tunnel.pids), strict=True))
        elapsed = time.monotonic() - begun
        busy, steal = (after - before for before, after in zip(machine, _machine(), strict=True))
    report = json.loads(done.stdout or "{}")
    received = report.get("end", {}).get("sum_received")
    if not received:
        raise RuntimeError(f"iperf3: {report.get('error', done.stderr)}")
    # iperf3 gives its own CPU time in per cent of one core.
    load = report["end"]["cpu_utilization_percent"]
    own = (load["host_total"] + load["remote_total"]) / 100 * received["seconds"]
    foreign = max(0.0, busy - sum(used) - own) / (elapsed * (os.cpu_count() or 1))
    return Observed(report, used, foreign, steal)


@contextlib.contextmanager
def serving(ends: Ends, tunnel: Tunnel) -> Iterator[list[str]]:
    """iperf3's server behind the tunnel, for one client; gives how the client is called."""
    server = ends.server.popen(
        ["iperf3", "-s", "-1", "-B", tunnel.address, "--forceflush"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert server.stdout is not None
    try:
        while b"listening" not in (line := server.stdout.readline()):
            if not line:
                raise RuntimeError(f"iperf3's server ended with {server.wait()}")
        yield ["iperf3", "-c", tunnel.address, "-J"]
        server.wait(10)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def rss(pid: int) -> tuple[int, int]:
    """Resident set of a process in KiB, now and at its highest."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    return int(fields["VmRSS"].split()[0]), int(fields["VmHWM"].split()[0])


def cpu(pid: int) -> float:
    """CPU seconds of a process, user and system, all threads: proc_pid_stat(5), fields 14 and 15."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _machine() -> tuple[float, float]:
    """CPU seconds busy and stolen since boot: proc_stat(5)."""
    with Path("/proc/stat").open(encoding="ascii") as lines:
        user, nice, system, _, _, irq, softirq, steal = map(int, lines.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS, steal / _TICKS
