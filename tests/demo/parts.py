"""What several of the demo's steps do: fetch, move to another uplink, die, come back, look at the capture."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator

from demo.gateway import NETWORK
from demo.screen import Stopwatch, duration
from demo.stage import Check, Stage
from support.capture import Tally
from support.echo import EchoStream
from support.topology import GATEWAY4, Uplink
from support.until import until

BACK_SECONDS = 15
DEAD_SECONDS = 1.5
"""For how long the helper is left dead while the generator runs."""


def fetch(stage: Stage, url: str, size: int) -> tuple[str, int]:
    """Download `url` on the laptop, `size` bytes if all goes well; the SHA-256 and the size of what came."""
    process = stage.lab.client.popen(
        ["curl", "-sS", "-m", "30", url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    digest, got, watch = hashlib.sha256(), 0, Stopwatch()
    while part := os.read(process.stdout.fileno(), 1 << 18):
        digest.update(part)
        got += len(part)
        stage.screen.detail(f"{got / 1e6:.0f} of {size / 1e6:.0f} MB, {got / watch.seconds / 1e6:.0f} MB/s")
    process.wait()
    stage.screen.detail("")
    return digest.hexdigest(), got


def move(stage: Stage, echo: EchoStream, act: Callable[[], None], uplink: Uplink, sentence: str) -> Iterator[Check]:
    """Change the network by `act`; the tunnel has to go on over `uplink`, as the gateway sees it."""
    before = stage.capture.tally().allowed_by_device[uplink.router_device]
    begun = time.monotonic()
    act()

    def moved() -> bool:
        endpoint = stage.gateway.client().endpoint
        return endpoint is not None and endpoint.startswith(f"{uplink.client4}:")

    try:
        until(moved, 8.0, f"the gateway sees the laptop at {uplink.client4}")
        echo.wait_answer(time.monotonic(), 8.0, "answers come through the tunnel again")
    except AssertionError as error:
        yield Check(good=False, sentence=f"{sentence}.", seen=f"{error}\n{stage.gateway.client()}")
        return
    outage = echo.longest_gap(begun)
    on_it = stage.capture.tally().allowed_by_device[uplink.router_device] - before
    yield Check(
        on_it > 0,
        f"{sentence}, {duration(outage)} without an answer; the gateway sees {uplink.client4}.",
        f"the capture saw no WireGuard on {uplink.router_device}",
    )


def die(stage: Stage) -> tuple[Tally, int]:
    """SIGKILL the helper under the running generator; what leaked from then on, and how much was tried."""
    generator = stage.start_generator()
    stage.supervisor.hold()
    stage.screen.command(f"kill -KILL $(pidof slopn-helper)    # {stage.helper.pid}")
    before = generator.tried_so_far()
    stage.capture.reset()
    stage.helper.kill()
    end = time.monotonic() + DEAD_SECONDS
    while (left := end - time.monotonic()) > 0:
        stage.screen.detail(f"helper dead, programs send, {stage.capture.tally().total:,} frames in clear")
        time.sleep(min(left, 0.1))
    stage.screen.detail("")
    if not generator.running:
        raise RuntimeError("the leak generator has died: what was counted proves nothing")
    return stage.capture.tally(), generator.tried_so_far() - before


def families(tally: Tally) -> dict[str, int]:
    """The leaks in the words of a person; a frame may be in two, as DNS over IPv6 is."""
    words = {"TCP": "tcp", "UDP": "udp", "ICMP": "icmp", "IPv6": "6", "DNS": "dns/", "multicast": "multicast/udp"}
    return {name: sum(count for kind, count in tally.leaks.items() if part in kind) for name, part in words.items()}


def back(stage: Stage) -> Iterator[Check]:
    """The helper has to be started again and to connect by itself, seen from the far end."""
    before = stage.supervisor.restarts
    stage.supervisor.release()
    try:
        stage.supervisor.wait_restarted(before + 1, BACK_SECONDS)
        status = stage.helper.wait_state("connected", BACK_SECONDS)
    except (AssertionError, RuntimeError) as error:
        yield Check(good=False, sentence="The helper is back and connected again.", seen=str(error))
        return
    answer = stage.visit()
    yield Check(
        GATEWAY4 in answer and NETWORK in "".join(status["addresses"]),
        f"The helper is back and connected again: the web server sees {GATEWAY4}.",
        f"{answer}\n{status}",
    )


def only_wireguard(tally: Tally, uplink: Uplink) -> Check:
    """Nothing in clear on any cable, and the tunnel's packets on that of `uplink`."""
    carried = tally.allowed_by_device[uplink.router_device]
    return Check(
        tally.total == 0 and carried > 0,
        f"On the cable: {carried:,} frames of WireGuard and housekeeping, 0 in clear.",
        f"{tally}, {carried} WireGuard frames on {uplink.router_device}\n{tally.samples}",
    )
