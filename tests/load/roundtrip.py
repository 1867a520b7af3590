"""How long one command takes: over a connection that stands, and as `slopn status` from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from load.figures import Figure, quantile, spread
from load.home import home
from load.keyring import keyring
from load.people import PYTHON, Person, make
from load.status_stages import STAGES
from slopn_app.bootstrap import host
from slopn_app.client import HelperClient
from slopn_app.pairing import Pairing
from slopn_wire.commands import Connect, GetSnapshot
from slopn_wire.events import Refused, Snapshot
from support.helper_process import BIN, HelperProcess
from support.netns import Namespace

PART = "round trip"
COMMAND_TARGET = 0.003
"""Seconds of one command over a connection that stands: p50 less than."""
STATUS_TARGET = 0.35
"""Seconds of `slopn status`: median less than."""
_PATIENCE = 20.0
_UID = 64101
# Runs a command again and again and prints how long each run took. It is the user's own process: to become the user
# isn't timed.
_TIMER = """
import json, subprocess, sys, time
rounds, command = json.loads(sys.argv[1])
taken = []
for _ in range(rounds):
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    taken.append(time.perf_counter() - begun)
print(json.dumps(taken))
"""


def figures(commands: int = 2000, tries: int = 31) -> list[Figure]:
    """Both targets, and where the time of `slopn status` goes."""
    with opened() as (helper, folder):
        found = [
            _command(f"{what}, p50 / p99 / max of {commands}", seconds)
            for what, seconds in commands_over(str(helper.socket), commands).items()
        ]
        for where, person in users(helper, folder):
            bare = timed(person, tries, PYTHON, "-c", "pass")
            found += [
                _status(f"`slopn status`, key in {where}", timed(person, tries, str(BIN / "slopn"), "status")),
                Figure(PART, f"— stages, key in {where}, medians of {tries}", _shown(stages(person, tries), bare)),
                Figure(PART, f"— slowest imports, key in {where}", ", ".join(imports(person))),
            ]
        return found


def commands_over(path: str, count: int) -> dict[str, list[float]]:
    """Seconds of each command, by what it is and who asks. All must be answered as they should."""
    asked = {"get_snapshot": "snapshot", "connect": "refused"}
    found: dict[str, list[float]] = {}
    link = Pairing("cli", host(), path, ask=None, say=lambda _: None).link(_PATIENCE)
    try:
        for kind, expected in asked.items():
            command: dict[str, Any] = {"type": kind} if kind == "get_snapshot" else {"type": kind, "profile": "nobody"}
            taken = found[f"{kind}, blocking client"] = []
            for number in range(count):
                begun = time.perf_counter()
                result = link.ask(command, _PATIENCE, f"{kind}{number}" if kind == "connect" else "")
                taken.append(time.perf_counter() - begun)
                assert result["type"] == expected, result
    finally:
        link.close()
    return {**found, **asyncio.run(_over_client(path, count))}


def timed(person: Person, rounds: int, *command: str) -> list[float]:
    """Seconds of each run of a program as that user; the first run, which isn't counted, leaves bytecode behind."""
    person.run(*command)
    taken: list[float] = json.loads(person.run(PYTHON, "-c", _TIMER, json.dumps([rounds, command])))
    return taken


def stages(person: Person, tries: int) -> list[dict[str, float]]:
    """Seconds of each stage of `slopn status`."""
    return [json.loads(person.run(PYTHON, "-m", "load.status_stages")) for _ in range(tries)]


def imports(person: Person, most: int = 5) -> list[str]:
    """What takes longest to import, itself alone, as Python measures it: -X importtime, which slows it down a little."""
    process = person.popen(PYTHON, "-X", "importtime", str(BIN / "slopn"), "status", log=-1)
    _, told = process.communicate(timeout=_PATIENCE)
    rows = [
        line.removeprefix("import time:").split("|") for line in told.splitlines() if line.startswith("import time:")
    ]
    costs = sorted(((int(own), name.strip()) for own, _, name in rows[1:]), reverse=True)
    whole = sum(own for own, _ in costs)
    return [f"{len(costs)} modules {whole / 1e3:.0f} ms", *(f"{name} {own / 1e3:.1f}" for own, name in costs[:most])]


async def _over_client(path: str, count: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    async with HelperClient(path, "window") as client:
        for command, expected in ((GetSnapshot(), Snapshot), (Connect("nobody"), Refused)):
            await client.submit(command)
            taken = found[f"{type(command).__name__}, HelperClient"] = []
            for _ in range(count):
                begun = time.perf_counter()
                result = await client.submit(command)
                taken.append(time.perf_counter() - begun)
                assert isinstance(result, expected), result
    return found


@contextlib.contextmanager
def opened() -> Iterator[tuple[HelperProcess, Path]]:
    """The real helper, and a folder for its users."""
    with (
        home() as folder,
        Namespace("load", private=True) as namespace,
        HelperProcess(namespace, runtime_dir=folder / "run", log_level="info") as helper,
    ):
        yield helper, folder


def users(helper: HelperProcess, folder: Path) -> Iterator[tuple[str, Person]]:
    """Where the key is, and whose command line it is."""
    yield "a file", make(helper, folder, "alice", _UID)
    bob = Person(helper, folder, "bob", _UID + 1)
    with keyring(bob):
        bob.pair()
        yield "an unlocked keyring", bob


def _command(what: str, seconds: list[float]) -> Figure:
    return Figure(
        PART, what, spread(seconds), f"p50 under {1e3 * COMMAND_TARGET:g} ms", quantile(seconds, 0.5) < COMMAND_TARGET
    )


def _status(what: str, seconds: list[float]) -> Figure:
    shown = f"{1e3 * statistics.median(seconds):.0f} ({1e3 * min(seconds):.0f} – {1e3 * max(seconds):.0f}) ms"
    target = f"median under {1e3 * STATUS_TARGET:g} ms"
    return Figure(
        PART,
        f"{what}, median of {len(seconds)} (least – most)",
        shown,
        target,
        statistics.median(seconds) < STATUS_TARGET,
    )


def _shown(found: list[dict[str, float]], bare: list[float]) -> str:
    medians = {"interpreter": statistics.median(bare)}
    medians |= {stage: statistics.median(each[stage] for each in found) for stage in (*STAGES, "rest")}
    return ", ".join(f"{stage} {1e3 * seconds:.1f}" for stage, seconds in medians.items()) + " ms"
