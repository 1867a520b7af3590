"""What a person waits for: the tunnel's first reply, the kill switch, the command line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from bench import engines
from bench.wg_quick import WgQuick
from slopn_helper.host.firewall.nftables import NftablesFirewall
from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.host.journal import Journal
from slopn_wire.profile import Endpoint
from support.gateway import CLIENT4, TUNNEL4, Gateway
from support.helper_process import BIN, HelperProcess
from support.netns import Namespace
from support.topology import GATEWAY4, GATEWAY_PORT, Lab

CONNECT_TARGET = 0.5
"""From `slopn connect --wait` to the first reply, over `wg-quick up` with wireguard-go to it: at most."""
KILL_SWITCH_TARGET = 0.010
"""Seconds for one policy, median: less than."""
STATUS_TARGET = 6.0
"""`slopn status` over `python -c pass`: less than."""

_PROFILE = "bench"
# An installed package has its bytecode beside it; where the machine's environment forbids to write any, each start would
# compile the command line's sources anew.
_INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
# Sends until one is answered, so that a packet lost on the way up costs 20 ms and not a second.
_FIRST_REPLY = f"ping -q -c1 -i0.02 -w15 {TUNNEL4}"
# Runs each of several commands in turn and prints how long each took. In the namespace, so that entering it isn't timed.
_TIMER = """
import json, subprocess, sys, time
rounds, commands = json.loads(sys.argv[1])
taken = [[] for _ in commands]
for _ in range(rounds):
    for command, seconds in zip(commands, taken):
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - begun)
print(json.dumps(taken))
"""


@dataclass(frozen=True)
class Timing:
    """Seconds of each try, of ours and of what it is measured against (empty: against `target` alone, in seconds)."""

    name: str
    ours: Sequence[float]
    against: Sequence[float]
    target: float
    """Largest allowed median: a ratio to the median of `against`, or seconds."""

    @property
    def measured(self) -> float:
        """What stands against `target`."""
        median = statistics.median(self.ours)
        return median / statistics.median(self.against) if self.against else median

    def __str__(self) -> str:
        met = "met" if self.measured <= self.target else "not met"
        median = f"{1e3 * statistics.median(self.ours):.1f} ms"
        if not self.against:
            return f"{self.name}: median {median}; target {1e3 * self.target:g} ms: {met}"
        other = f"{1e3 * statistics.median(self.against):.1f} ms"
        return f"{self.name}: median {median} against {other}, ratio {self.measured:.2f}; target {self.target:g}: {met}"


def connect(rounds: int) -> Timing:
    """From the command to the first reply through the tunnel, ours and wg-quick's with wireguard-go, alternated.

    Each has a lab of its own with the same gateway; ours has its helper running, as it has on a desktop.
    """
    ours, theirs = [], []
    with _lab() as (lab, gateway), _lab() as (other, other_gateway), HelperProcess(lab.client) as helper:
        _do(helper, "import", str(_write(lab.dir / f"{_PROFILE}.conf", gateway.config(dns=False))))
        wireguard_go = engines.wireguard_go()
        quick = WgQuick(other.dir)
        quick.configure(other.client, _PROFILE, other_gateway.config(dns=False))
        env = {**_INSTALLED, **helper.front_end}
        lab.client.run(f"{BIN}/slopn status && {BIN}/slopn connect --help", env=env)
        for _ in range(rounds):
            begun = time.perf_counter()
            lab.client.run(f"{BIN}/slopn connect {_PROFILE} --wait 15 && {_FIRST_REPLY}", env=env)
            ours.append(time.perf_counter() - begun)
            _do(helper, "disconnect")
            helper.wait_state("disconnected")
            begun = time.perf_counter()
            quick.run(other.client, wireguard_go, "up", _PROFILE, then=_FIRST_REPLY)
            theirs.append(time.perf_counter() - begun)
            quick.run(other.client, wireguard_go, "down", _PROFILE)
    return Timing(
        "slopn connect, to the first reply, against wg-quick up with wireguard-go", ours, theirs, CONNECT_TARGET
    )


def status(rounds: int) -> Timing:
    """`slopn status` with a helper that answers, against the bare interpreter."""
    with Namespace("bench-status", private=True) as namespace, HelperProcess(namespace) as helper:
        commands = [[str(BIN / "slopn"), "status"], [sys.executable, "-c", "pass"]]
        env = {**_INSTALLED, **helper.front_end}
        namespace.run(commands[0], env=env)
        done = namespace.run([sys.executable, "-c", _TIMER, json.dumps([rounds, commands])], env=env, timeout=120)
    ours, bare = json.loads(done.stdout)
    return Timing("slopn status, against python -c pass", ours, bare, STATUS_TARGET)


def kill_switch(rounds: int) -> Timing:
    """One `apply` of the firewall, as the helper calls it; closing and opening policies in turn."""
    with Namespace("bench-ks", private=True) as namespace, tempfile.TemporaryDirectory() as folder:
        endpoints = (Endpoint(host=GATEWAY4, port=GATEWAY_PORT),)
        blocked = Blocked(endpoints=endpoints, resolvers=(ip_address("198.51.100.53"),))
        tunnelled = Tunnelled(
            allow_lan=True,
            endpoints=endpoints,
            interface="slopn0",
            addresses=(ip_address(CLIENT4),),
            dns=(ip_address(TUNNEL4),),
        )
        with namespace.entered():
            seconds = asyncio.run(_apply(Path(folder), [blocked, tunnelled] * rounds))
    return Timing("kill switch applied", seconds, (), KILL_SWITCH_TARGET)


async def _apply(folder: Path, policies: Sequence[FirewallPolicy]) -> list[float]:
    firewall = NftablesFirewall(Journal(folder / "journal"), fwmark=0x5150)
    taken = []
    try:
        for policy in policies:
            begun = time.perf_counter()
            await firewall.apply(policy, persist=False)
            taken.append(time.perf_counter() - begun)
        await firewall.apply(Open(), persist=False)
    finally:
        firewall.close()
    return taken


@contextlib.contextmanager
def _lab() -> Iterator[tuple[Lab, Gateway]]:
    with Lab(uplinks=("eth0",), web=False) as lab, Gateway(lab) as gateway:
        yield lab, gateway


def _do(helper: HelperProcess, *arguments: str) -> None:
    done = helper.cli(*arguments)
    if done.returncode:
        raise RuntimeError(f"slopn {' '.join(arguments)} ended with {done.returncode}: {done.stderr}\n{helper.tail()}")


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="ascii")
    return path
