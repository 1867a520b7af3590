"""What a diagnosis is made of: asked for all at once, each source for itself. One that fails is missing, no more."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from slopn_helper.host.facts import Filters, HostFacts, Link, Route, Rule, System
from slopn_wire.events import Snapshot
from slopn_wire.logs import LogLine
from slopn_wire.profile import IPAddress, Profile
from slopn_wire.state import Connected

WITHIN = 8.0
"""Seconds for one source; all are asked at the same time."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Sources:
    """Where the facts come from: whoever wires the helper up hands them in. All of them may raise."""

    snapshot: Callable[[], Snapshot]
    log: Callable[[], Sequence[LogLine]]
    recording: Callable[[], bytes]
    """Lines of the flight recorder."""
    host: HostFacts
    firewall_drift: Callable[[], Awaitable[str | None]]
    routes_drift: Callable[[], Awaitable[str | None]]
    dns_drift: Callable[[], Awaitable[str | None]]
    dns_choice: Callable[[], Awaitable[str]]
    """Which mechanism rules the host's DNS, and why: the trace of `Choice`."""
    undo: Callable[[], Sequence[str]]
    """What the undo journal still has, a key each."""
    state_dir: Path
    interface: str = "slopn0"
    """Our own."""
    authority: Callable[[], tuple[float, float] | None] = lambda: None
    """From when and until when the helper's own authority is valid, Unix time; None: there is none yet."""
    clock: Callable[[], float] = time.time


class Missing(Struct, frozen=True):
    """A fact that couldn't be found out."""

    why: str


class Disk(Struct, frozen=True):
    """Where the helper keeps what it must not forget."""

    free: int
    """Bytes."""
    problem: str | None = None
    """Why nothing can be written there."""
    newest: float = 0.0
    """Unix time of the last change of a file there."""


class Answer(Struct, frozen=True):
    """What a resolver of the tunnel said."""

    server: IPAddress
    seconds: float | None
    """None: nothing."""


class Facts(Struct, frozen=True):
    """Everything. What is `Missing` says why."""

    at: float
    """Unix time."""
    interface: str
    """Our own."""
    snapshot: Snapshot
    log: tuple[LogLine, ...] | Missing
    recording: bytes | Missing
    firewall_drift: str | Missing | None
    routes_drift: str | Missing | None
    dns_drift: str | Missing | None
    dns_choice: str | Missing
    links: tuple[Link, ...] | Missing
    routes: tuple[Route, ...] | Missing
    rules: tuple[Rule, ...] | Missing
    filters: Filters | Missing
    system: System | Missing
    resolvers: str | Missing
    answers: tuple[Answer, ...] | Missing
    undo: tuple[str, ...] | Missing
    disk: Disk | Missing
    authority: tuple[float, float] | Missing | None


async def collect(sources: Sources) -> Facts:
    """Ask all of them. Raises only what `sources.snapshot` does: without it there is nothing to tell."""
    snapshot = sources.snapshot()
    host = sources.host
    async with asyncio.TaskGroup() as tasks:

        def ask(call: Callable[[], Awaitable[_T]]) -> asyncio.Task[_T | Missing]:
            return tasks.create_task(_asked(call))

        links, routes, rules, filters = ask(host.links), ask(host.routes), ask(host.rules), ask(host.filters)
        system, resolvers = ask(host.system), ask(host.resolvers)
        drifts = [ask(call) for call in (sources.firewall_drift, sources.routes_drift, sources.dns_drift)]
        choice = ask(sources.dns_choice)
        answers = ask(lambda: _answers(host, snapshot))
        disk = ask(lambda: asyncio.to_thread(_disk, sources.state_dir))
    return Facts(
        at=sources.clock(),
        interface=sources.interface,
        snapshot=snapshot,
        log=_taken(lambda: tuple(sources.log())),
        recording=_taken(sources.recording),
        firewall_drift=drifts[0].result(),
        routes_drift=drifts[1].result(),
        dns_drift=drifts[2].result(),
        dns_choice=choice.result(),
        links=links.result(),
        routes=routes.result(),
        rules=rules.result(),
        filters=filters.result(),
        system=system.result(),
        resolvers=resolvers.result(),
        answers=answers.result(),
        undo=_taken(lambda: tuple(sources.undo())),
        disk=disk.result(),
        authority=_taken(sources.authority),
    )


def inside(server: IPAddress, profile: Profile) -> bool:
    """Whether packets to `server` belong into the tunnel of `profile`."""
    networks = [network for peer in profile.peers for network in peer.allowed_ips]
    return any(server in network for network in networks if network.version == server.version)


async def _answers(host: HostFacts, snapshot: Snapshot) -> tuple[Answer, ...]:
    """Ask those resolvers alone that are reached through the tunnel, while there is one: nothing leaves beside it."""
    state = snapshot.state
    if not isinstance(state, Connected):
        return ()
    profile = next((one for one in snapshot.profiles if one.name == state.profile), None)
    servers = [server for server in snapshot.live.dns.servers if profile is not None and inside(server, profile)]
    async with asyncio.TaskGroup() as tasks:
        asked = [(server, tasks.create_task(host.answers(server, state.interface))) for server in servers]
    return tuple(Answer(server, task.result()) for server, task in asked)


async def _asked(call: Callable[[], Awaitable[_T]]) -> _T | Missing:
    try:
        async with asyncio.timeout(WITHIN):
            return await call()
    except TimeoutError:
        return Missing(f"there was no answer within {WITHIN:.0f} s")
    except Exception as error:  # noqa: BLE001 - whatever one source does, the others are told
        return Missing(_said(error))


def _taken(call: Callable[[], _T]) -> _T | Missing:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - as in _asked
        return Missing(_said(error))


def _said(error: BaseException) -> str:
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
    return str(inner) or type(inner).__name__


def _disk(directory: Path) -> Disk:
    newest = max((entry.stat(follow_symlinks=False).st_mtime for entry in os.scandir(directory)), default=0.0)
    problem = None
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        problem = os.strerror(error.errno or 0)
    return Disk(shutil.disk_usage(directory).free, problem, newest)
