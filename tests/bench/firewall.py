"""The kill switch: how long one policy takes, from each to each, and how long a plain table lies open after a flush."""

from __future__ import annotations

import asyncio
import socket
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from slopn_helper.host.firewall import FirewallPolicy, Open, netlink
from slopn_helper.host.firewall.nftables import NftablesFirewall
from slopn_helper.host.journal import Journal
from support.capture import Capture
from support.firewall import FirewallProcess, blocked, tunnelled
from support.generator import Generator
from support.netns import Namespace, veth
from support.topology import Lab
from support.toy_tunnel import MARK
from support.until import until

APPLY_TARGET = 0.01
"""Seconds for one policy, median: less than."""
PAUSE = 0.1
"""Seconds between two policies: what the kernel cleans up after the one isn't the other's."""

_POLICIES: dict[str, FirewallPolicy] = {
    "open": Open(),
    "blocked": blocked(),
    "tunnelled": structs.replace(tunnelled(), allow_lan=True),
}
_TOUR = ("blocked", "tunnelled", "blocked", "open", "blocked", "blocked", "tunnelled", "tunnelled", "open")
"""Every step that the core takes."""
_SOL_NETLINK, _ADD_MEMBERSHIP, _NFTABLES_GROUP = 270, 1, 7
_NEW_GENERATION = netlink.SUBSYSTEM_NFTABLES << 8 | 15

Applies = Mapping[tuple[str, str, str], Sequence[float]]
"""Seconds of each apply, by kind of table, policy before, policy after."""


def applies(times: int) -> Applies:
    """So many of each step and of each kind of table, on a host with two cards."""
    taken: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for kind in ("owned", "plain"):
        with Namespace("bench-fw") as host, Namespace("bench-far") as far, tempfile.TemporaryDirectory() as folder:
            for card in ("eth0", "wlan0"):
                veth(host, card, far, f"far-{card}")
            with host.entered():
                asyncio.run(_tour(Path(folder), kind, times, taken))
    return taken


async def _tour(folder: Path, kind: str, times: int, taken: dict[tuple[str, str, str], list[float]]) -> None:
    firewall = NftablesFirewall(Journal(folder / "journal"), fwmark=MARK, owned=kind == "owned")
    before = "open"
    try:
        for _ in range(times):
            for after in _TOUR:
                begun = time.perf_counter()
                await firewall.apply(_POLICIES[after], persist=False)
                taken[kind, before, after].append(time.perf_counter() - begun)
                before = after
                await asyncio.sleep(PAUSE)
    finally:
        firewall.close()


class Gap:
    """One foreign flush of a guarded plain table."""

    def __init__(self, seconds: float, leaked: int) -> None:
        self.seconds = seconds
        """From the kernel's word of the flush to its word of the rules that are back."""
        self.leaked = leaked
        """Frames, while everything is being sent."""


def gaps(flushes: int) -> list[Gap]:
    """So many flushes under full fire, with the guard in a process of its own."""
    found: list[Gap] = []
    with Lab(uplinks=("eth0",)) as lab, Capture(lab.router, ["r-eth0"]) as capture:
        firewall = FirewallProcess(lab.client, lab.dir / "guarded", owned=False, guard=True)
        try:
            firewall.apply(blocked())
            with _listening(lab.client) as heard, Generator(lab.client, lab.uplinks, rounds_per_second=200) as fire:
                for _ in range(flushes):
                    since = fire.tried_so_far()
                    until(lambda since=since: fire.tried_so_far() > since, 10.0, "it sends")  # type: ignore[misc]
                    _drain(heard)
                    capture.reset()
                    # Not waited for: this thread shall hear of the flush when the kernel tells it.
                    flush = lab.client.popen("nft flush ruleset")
                    flushed, back = _next(heard), _next(heard)
                    flush.wait()
                    found.append(Gap(back - flushed, capture.reset().total))
            firewall.apply(Open())
        finally:
            firewall.kill()
    return found


def _listening(namespace: Namespace) -> socket.socket:
    with namespace.entered():
        sock = socket.socket(netlink.AF_NETLINK, socket.SOCK_RAW, netlink.NETFILTER)
    sock.bind((0, 0))
    sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _NFTABLES_GROUP)
    sock.settimeout(10)
    return sock


def _drain(sock: socket.socket) -> None:
    sock.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            sock.recv(1 << 17)
    sock.settimeout(10)


def _next(sock: socket.socket) -> float:
    """When the next transaction ended."""
    while True:
        if any(message.kind == _NEW_GENERATION for message in netlink.messages(sock.recv(1 << 17))):
            return time.perf_counter()


def render(taken: Applies) -> str:
    """Markdown: a line for each step."""
    lines = [
        "| table | from | to | applies | median ms | 95 % ms | |",
        "| --- | --- | --- | ---: | ---: | ---: | --- |",
    ]
    for (kind, before, after), seconds in taken.items():
        median = statistics.median(seconds)
        late = sorted(seconds)[int(0.95 * len(seconds))]
        verdict = "met" if median < APPLY_TARGET else "**missed**"
        lines.append(
            f"| {kind} | {before} | {after} | {len(seconds)} | {1e3 * median:.1f} | {1e3 * late:.1f} | {verdict} |"
        )
    return "\n".join(lines)


def render_gaps(found: Sequence[Gap]) -> str:
    """One line, least, median and most of both."""
    seconds = sorted(1e3 * gap.seconds for gap in found)
    leaked = sorted(gap.leaked for gap in found)
    return (
        f"guard, {len(found)} flushes: rules back after {seconds[0]:.1f} to {seconds[-1]:.1f} ms, median "
        f"{statistics.median(seconds):.1f}; frames leaked by each {leaked[0]} to {leaked[-1]}, median "
        f"{statistics.median(leaked):g}, together {sum(leaked)}"
    )
