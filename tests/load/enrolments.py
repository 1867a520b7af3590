"""Enrolments over HTTPS with SQLite: how many a second, and what twice as much as that does to the server.

An enrolment is a challenge and the request itself. Each connection comes from an address of its own, as devices do: the
shares of one source are no limit here.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench.engines import ROOT
from load.enrolment_user import Answers, Target, enrolling, pressing, target
from load.figures import Figure, megabytes, spread
from load.people import PYTHON
from load.usage import Sampler, growth

PART = "enrolments"
TARGET = 200.0
"""A second, on two cores."""
GROWTH = 8e6
"""Bytes that the server may grow by under twice its load, once it has settled."""


class Loaded(NamedTuple):
    """What came back, and what the server used meanwhile."""

    answers: Answers
    sampler: Sampler


@contextmanager
def server() -> Iterator[tuple[Target, int]]:
    """A gateway's API in a process of its own, and its process id; a registry on this machine's disk."""
    with tempfile.TemporaryDirectory(prefix="slopn-load-", dir=ROOT / ".cache") as folder:
        words = [PYTHON, "-m", "load.enrolment_server", folder]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
        with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, cwd=ROOT) as process:
            try:
                assert process.stdout is not None
                yield target(**json.loads(process.stdout.readline())), process.pid
            finally:
                process.terminate()


def sustained(to: Target, pid: int, seconds: float, each: int) -> Loaded:
    """32 devices at a time, `each` enrolments on a connection, as fast as they are answered."""
    with Sampler(pid) as sampler:
        answers = asyncio.run(enrolling(to, seconds, 32, each))
    return Loaded(answers, sampler)


def pressed(to: Target, pid: int, seconds: float, rate: float) -> Loaded:
    """`rate` devices a second, whatever becomes of those before."""
    with Sampler(pid) as sampler:
        answers = asyncio.run(pressing(to, seconds, rate))
    return Loaded(answers, sampler)


def figures(seconds: float = 10.0, press: float = 600.0) -> list[Figure]:
    """The target, with connections kept and with one for each, and twice the load."""
    found = []
    with server() as (to, pid):
        rates = []
        for each, how in ((1, "a connection each"), (25, "25 on a connection")):
            answers, sampler = sustained(to, pid, seconds, each)
            rates.append(answers.enrolled / sampler.seconds)
            met = rates[-1] >= TARGET and set(answers.statuses) == {200}
            cpu = 1e3 * sampler.cpu / max(answers.enrolled, 1)
            found += [
                Figure(PART, f"a second, {how}", f"{rates[-1]:.0f}", f"≥ {TARGET:g}", met),
                Figure(PART, f"— server's CPU for one, {how}", f"{cpu:.1f} ms"),
                Figure(PART, f"— time of one, p50 / p99 / max, {how}", spread(answers.seconds)),
            ]
        answers, sampler = pressed(to, pid, press, 2 * rates[0])
        others = sum(count for status, count in answers.statuses.items() if status not in {200, 429, 503})
        told = ", ".join(f"{status}: {count}" for status, count in sorted(answers.statuses.items()))
        grown = growth(sampler.samples, press / 5)
        about = f"twice the load, {press:g} s"
        found += [
            Figure(PART, f"{about}: answers", f"{told}; {answers.cut} cut", "200, 429, 503 alone", others == 0),
            Figure(PART, f"{about}: enrolled a second", f"{answers.enrolled / sampler.seconds:.0f}"),
            Figure(PART, f"{about}: memory grown by", megabytes(grown), f"≤ {megabytes(GROWTH)}", grown <= GROWTH),
        ]
    return found
