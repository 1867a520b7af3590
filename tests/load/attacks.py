"""Honest users while a hostile one attacks without a pause: how long their commands take, and what the helper's memory does."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from load.figures import Figure, megabytes, quantile, spread
from load.home import home
from load.hostile_user import ATTACKS
from load.people import PYTHON, Person, hear, make
from load.usage import cpu, forget_peak, memory, peak
from support.helper_process import HelperProcess
from support.netns import Namespace
from support.until import until

PART = "attack"
WITHIN = 0.25
"""Seconds for a legitimate command."""
MEMORY = 20_000_000
"""Bytes that an attack may cost the helper."""
_WORST_WITHIN = 120.0
_ALICE, _MALLORY = 64111, 64112


class Honest(NamedTuple):
    """What one honest user has seen: seconds of each command, and what went wrong."""

    who: str
    standing: list[float]
    fresh: list[float]
    problems: list[str]


class Attacked(NamedTuple):
    """One attack."""

    name: str
    honest: list[Honest]
    growth: int
    """Bytes from before the attack to the most during it."""
    cpu: float
    """The helper's, in cores."""


class Battlefield:
    """The real helper, with root and alice, who are honest, and mallory; each may use it and is paired. A context."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(home())
            self.namespace = stack.enter_context(Namespace("load", private=True))
            self.helper = HelperProcess(self.namespace, runtime_dir=folder / "run", log_level="info")
            stack.callback(self.helper.__exit__)
            self.helper.start()
            self.alice = make(self.helper, folder, "alice", _ALICE)
            self.mallory = make(self.helper, folder, "mallory", _MALLORY)
            self.chain = _chain(self.mallory)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def endure(self, name: str, seconds: float, hostile: int, *, fresh: bool = True) -> Attacked:
        """Be attacked for at least `seconds`, until each of `hostile` processes has done its worst once.

        `fresh`: by a helper that has just started, so that no memory of the attack before hides what this one takes.
        """
        if fresh:
            self.helper.kill()
            self.helper.start()
        pid = self.helper.pid
        with self._honest("root", None) as root, self._honest("alice", self.alice) as alice:
            before = memory(pid)
            forget_peak(pid)
            with contextlib.ExitStack() as stack:
                attackers = [stack.enter_context(self._attacker(name)) for _ in range(hostile)]
                used, begun = cpu(pid), time.monotonic()
                until(lambda: time.monotonic() - begun >= seconds, seconds + 5.0, "the attack has lasted")
                for attacker in attackers:
                    assert hear(attacker, _WORST_WITHIN) == {"done": True}
                load = (cpu(pid) - used) / (time.monotonic() - begun)
                most = peak(pid)
                seen = [_end(who, process) for who, process in (("root", root), ("alice", alice))]
        assert self.helper.alive, self.helper.tail()
        return Attacked(name, seen, most - before, load)

    @contextlib.contextmanager
    def _honest(self, who: str, person: Person | None) -> Iterator[subprocess.Popen[str]]:
        argv = [PYTHON, "-m", "load.honest_user", str(self.helper.socket), "0"]
        if person is not None:
            process = person.popen(*argv)
        else:
            env = {"PYTHONPATH": self.mallory.env["PYTHONPATH"]}
            process = self.namespace.popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with _ended(process):
            assert hear(process) == {"ready": True}, who
            yield process

    @contextlib.contextmanager
    def _attacker(self, name: str) -> Iterator[subprocess.Popen[str]]:
        argv = [PYTHON, "-m", "load.hostile_user", name, str(self.helper.socket), str(self.chain)]
        with _ended(self.mallory.popen(*argv)) as process:
            yield process


def figures(seconds: float = 10.0, hostile: int = 2) -> list[Figure]:
    """The target for commands and the gate for memory, a line an attack."""
    with Battlefield() as field:
        return [figure for name in ATTACKS for figure in lines(field.endure(name, seconds, hostile))]


def lines(found: Attacked) -> list[Figure]:
    """What is to be said of one attack."""
    name = found.name.replace("_", " ")
    told = []
    for honest in found.honest:
        seconds = honest.standing + honest.fresh
        problems = f", {len(honest.problems)} failed" if honest.problems else ""
        told.append(
            Figure(
                PART,
                f"{name}, {honest.who}: standing connection; new one, p50 / p99 / max ({len(honest.fresh)} each)",
                f"{spread(honest.standing)}; {spread(honest.fresh)}{problems}",
                f"p99 within {1e3 * WITHIN:g} ms",
                not honest.problems and quantile(seconds, 0.99) <= WITHIN,
            )
        )
    shown = f"{megabytes(found.growth)}, {found.cpu:.0%} of a core"
    told.append(
        Figure(PART, f"{name}, helper's growth, CPU", shown, f"under {megabytes(MEMORY)}", found.growth < MEMORY)
    )
    return told


def _end(who: str, process: subprocess.Popen[str]) -> Honest:
    out, _ = process.communicate(timeout=60.0)
    said = json.loads(out)
    return Honest(who, said["standing"], said["fresh"], said["problems"])


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _chain(person: Person) -> Path:
    """Key and certificate of the person's command line, in one file of the person's."""
    (record,) = person.home.glob("state/slopn/credentials/*/cli.json")
    (key,) = record.parent.glob("cli-*.key")
    chain = person.home / "chain.pem"
    certificate = json.loads(record.read_text(encoding="utf-8"))["held"][0]["certificate"]
    chain.write_text(key.read_text(encoding="ascii") + certificate, encoding="ascii")
    chain.chmod(0o644)
    return chain
