"""The helper is killed and started again and again under several clients: when each knows the whole truth again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from load.figures import Figure, quantile
from load.home import home
from slopn_app.bootstrap import host
from slopn_app.client import HelperClient
from slopn_app.feed import Problem
from slopn_app.link import greet
from slopn_app.pairing import Pairing
from slopn_app.trouble import Trouble
from slopn_wire.codec import decode
from slopn_wire.commands import ApplySettings, Command, Connect, Disconnect, ImportProfile, RemoveProfile
from slopn_wire.events import Refused, Snapshot
from slopn_wire.settings import Settings
from support.helper_process import HelperProcess
from support.netns import Namespace
from support.until import until, until_async

PART = "restarts"
WITHIN = 2.0
"""Seconds from the helper's first word to equal views."""
_PATIENCE = 20.0
_BUSY = 0.15  # seconds after a command within which the helper is killed
_PROFILE = """
[Interface]
PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=
Address = 10.9.0.2/32
[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
Endpoint = 203.0.113.10:51820
AllowedIPs = 0.0.0.0/0
"""


class Round(NamedTuple):
    """One restart. Seconds."""

    start: float
    """From the start of the process to its first word on the socket."""
    equal: float
    """From that to equal views."""
    lost: float
    """From the kill to equal views: for so long a person could see that the helper was gone."""


def restart(rounds: int, clients: int, seed: int = 1) -> list[Round]:
    """Kill and start it so often, each time in the middle of a command. Raises `AssertionError` if views stay different."""
    with home(), Namespace("load", private=True) as namespace, HelperProcess(namespace, log_level="info") as helper:
        return asyncio.run(_run(helper, rounds, clients, random.Random(seed)))


def figures(rounds: int = 50, clients: int = 5) -> list[Figure]:
    """The gate: equal within `WITHIN` each time."""
    found = restart(rounds, clients)
    equal = [each.equal for each in found]
    return [
        Figure(
            PART,
            f"{rounds} × kill -9 under {clients} clients, helper's first word → all views equal its snapshot, median / max",
            _seconds(equal),
            f"at most {WITHIN:g} s each",
            max(equal) <= WITHIN,
        ),
        Figure(PART, "start → the helper's first word, median / max", _seconds([each.start for each in found])),
        Figure(PART, "kill → all views equal again, median / max", _seconds([each.lost for each in found])),
    ]


async def _run(helper: HelperProcess, rounds: int, count: int, chance: random.Random) -> list[Round]:
    truth = _Truth(str(helper.socket))
    found = []
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(HelperClient(str(helper.socket), ("tray", "window")[number % 2]))
            for number in range(count)
        ]
        await _equal(clients, truth)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for number in range(rounds):
            commands = tasks.create_task(_give(clients[number % count], _command(number, chance)))
            await asyncio.sleep(chance.uniform(0, _BUSY))
            killed = time.monotonic()
            await asyncio.to_thread(helper.kill)
            begun = time.monotonic()
            helper.spawn()
            ready = await asyncio.to_thread(truth.first_word, lambda: helper.alive)
            equal = await _equal(clients, truth)
            found.append(Round(ready - begun, equal - ready, equal - killed))
            await commands
    return found


def _command(number: int, chance: random.Random) -> Command:
    """Something that changes what clients see."""
    commands: list[Command] = [
        ApplySettings(Settings(allow_lan=bool(number % 2))),
        ImportProfile(f"p{number % 4}", _PROFILE, "p.conf", replace=True),
        RemoveProfile(f"p{(number + 2) % 4}"),
        Connect(f"p{number % 4}"),
        Disconnect(),
    ]
    return chance.choice(commands)


async def _give(client: HelperClient, command: Command) -> None:
    """A refusal is fine: the profile may not exist. So is a helper that is gone for good before it answered."""
    with contextlib.suppress(Trouble):
        result = await client.submit(command, _PATIENCE)
        assert not isinstance(result, Refused) or result.message


async def _equal(clients: list[HelperClient], truth: _Truth) -> float:
    """Wait until each client's view is the helper's; when that was."""

    async def equal() -> float:
        told = await asyncio.to_thread(truth.snapshot)
        return time.monotonic() if told and all(client.feed.view == told for client in clients) else 0.0

    def differs() -> str:
        return "; ".join(_said(client) for client in clients)

    try:
        return await until_async(equal, _PATIENCE, "all views equal the helper's snapshot")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{differs()}") from None


def _said(client: HelperClient) -> str:
    view, problem = client.feed.view, client.feed.problem
    return f"{view.epoch} {view.seq}" if view is not None else str(problem if isinstance(problem, Problem) else None)


class _Truth:
    """Asks the helper itself, as the command line does."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._host = host()
        self._pairing = Pairing("cli", self._host, path, ask=None, say=lambda _: None)

    def snapshot(self) -> Snapshot | None:
        """As of now; None: it doesn't answer."""
        try:
            link = self._pairing.link(_PATIENCE)
        except Trouble:
            return None
        try:
            return decode(json.dumps(link.ask({"type": "get_snapshot"}, _PATIENCE)), Snapshot)
        finally:
            link.close()

    def first_word(self, alive: Callable[[], bool]) -> float:
        """When the helper first greeted somebody."""

        def greeted() -> float:
            assert alive(), "the helper ended by itself"
            try:
                stream, _ = greet(self._host.transport, self._path, 1.0)
            except Trouble:
                return 0.0
            stream.close()
            return time.monotonic()

        return until(greeted, _PATIENCE, "the helper greets")


def _seconds(values: list[float]) -> str:
    return f"{quantile(values, 0.5):.2f} / {max(values):.2f} s"
