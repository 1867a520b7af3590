"""Devices that enrol one after another, as fast as they are let, or at a rate that nobody asked the server for."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

from slopn_wire.enrolment_api import CHALLENGE, ENROL
from support.enrolment import DeviceKey, Line

_CLOSED = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
_numbers = itertools.count(1)


class Target(NamedTuple):
    """Where to enrol."""

    port: int
    token: bytes
    tls: ssl.SSLContext


class Answers:
    """What came back."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.enrolled = 0
        self.cut = 0
        """Connections that ended, or were refused, without an answer."""
        self.seconds: list[float] = []
        """Of each enrolment, challenge included."""


def target(port: int, token: str, certificate: str) -> Target:
    """Of what the server prints."""
    tls = ssl.create_default_context(cafile=certificate)
    tls.check_hostname = False
    return Target(port, bytes.fromhex(token), tls)


async def connect(to: Target) -> Line:
    """From an address of loopback that hasn't been used lately."""
    number = next(_numbers)
    source = f"127.{1 + (number >> 16) % 250}.{(number >> 8) % 256}.{number % 256}"
    reader, writer = await asyncio.open_connection("127.0.0.1", to.port, ssl=to.tls, local_addr=(source, 0))
    return Line(reader, writer)


async def enrol(line: Line, to: Target, answers: Answers) -> bool:
    """One device. False: it wasn't let."""
    began = time.perf_counter()
    given = await line.ask(CHALLENGE, {})
    answers.statuses[given.status] += 1
    if given.status != 200:
        return False
    reply = await line.ask(ENROL, DeviceKey().enrolment(given.body, to.token))
    answers.statuses[reply.status] += 1
    if reply.status != 200:
        return False
    answers.enrolled += 1
    answers.seconds.append(time.perf_counter() - began)
    return True


async def device(to: Target, answers: Answers, until: float, each: int) -> None:
    """Connection after connection, with `each` enrolments on each, as soon as the one before is answered."""
    while time.monotonic() < until:
        try:
            line = await connect(to)
        except OSError:
            answers.cut += 1
            continue
        try:
            for _ in range(each):
                await enrol(line, to, answers)
        except _CLOSED:
            answers.cut += 1
        finally:
            line.close()


async def enrolling(to: Target, seconds: float, at_once: int, each: int) -> Answers:
    """`at_once` of them for a while."""
    answers = Answers()
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(device(to, answers, until, each))
    return answers


async def pressing(to: Target, seconds: float, rate: float) -> Answers:
    """One device after another sets out, `rate` a second, whatever became of those before."""
    answers = Answers()
    began = time.monotonic()

    async def one() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                await device(to, answers, time.monotonic() + 0.001, 1)

    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            due = began + number / rate
            if due > began + seconds:
                return answers
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(one())
    return answers
