"""Who loses a right loses it at once, in the middle of a conversation; who keeps it notices nothing."""

from __future__ import annotations

import asyncio
import time

import pytest

from slopn_helper.ipc.certificates import LIFETIME
from slopn_helper.ipc.conversation import Timing
from slopn_helper.ipc.verdicts import Problem
from slopn_wire.commands import Connect, GetSnapshot, GetUsers, RemoveUser, RenameDevice, RevokeDevice, Watch
from slopn_wire.devices import Right
from slopn_wire.events import Done, Reply, Result
from slopn_wire.events import Users as UsersReply
from support.ipc_world import MEMBER, OTHER, ROOT, TIMEOUT, Client, World, world
from support.refused import refusals

ALL = tuple(Right)


async def connected(it: World, device: str) -> Client:
    """A client of the member's, with a front end of that name."""
    client = it.connect(MEMBER)
    await client.secure(it.pair(MEMBER, ALL, device=device))
    return client


async def farewell(client: Client, problem: Problem) -> None:
    """The very next message is the helper's last."""
    assert await client.read() == Reply(0, problem.refused())
    assert await client.read() is None


def test_a_revoked_front_ends_connections_end(caplog: pytest.LogCaptureFixture) -> None:
    """All of them, watching or not, with a sentence; the user's other front ends go on."""

    async def go() -> None:
        async with world() as it:
            shown = it.pair(MEMBER, ALL, device="d1")
            idle, watching = it.connect(MEMBER), it.connect(MEMBER)
            for client in (idle, watching):
                await client.secure(shown)
            await watching.ask(Watch())
            other = await connected(it, "d2")
            assert await other.ask(RevokeDevice("d1")) == Done()
            await farewell(idle, Problem.REVOKED)
            await farewell(watching, Problem.REVOKED)
            assert it.hub.subscribers == []
            assert await other.ask(Connect("a")) == Done()

    asyncio.run(go())
    assert refusals(caplog) == [(1000, Problem.REVOKED)] * 2


def test_who_revokes_itself_gets_the_answer_first() -> None:
    """And then the farewell; nothing that it has sent after that is carried out."""

    async def go() -> None:
        async with world() as it:
            client = await connected(it, "d1")
            number = await client.send(RevokeDevice("d1"))
            await client.send(Connect("a"))
            assert await client.reply(number) == Done()
            await farewell(client, Problem.REVOKED)
            assert Connect("a") not in [command for _, command in it.hub.commands]

    asyncio.run(go())


def test_a_removed_users_connections_end() -> None:
    """Paired or not; another user's go on."""

    async def go() -> None:
        async with world() as it:
            root, member = await it.client(ROOT), await it.client(MEMBER)
            paired, unpaired = await it.client(OTHER), await it.unpaired(OTHER)
            assert isinstance(await root.ask(GetUsers()), UsersReply)
            assert await root.ask(RemoveUser("other")) == Done()
            await farewell(paired, Problem.NOT_ALLOWED)
            await farewell(unpaired, Problem.NOT_ALLOWED)
            assert await member.ask(GetSnapshot()) == it.hub.view
            greeting = await it.connect(OTHER).greeting()
            assert greeting is not None
            assert greeting.refused == Problem.NOT_ALLOWED.refused()

    asyncio.run(go())


def test_a_command_under_way_has_no_answer_any_more() -> None:
    """The connection ends at once; the command is carried out, as it was accepted before."""

    async def go() -> None:
        async with world() as it:
            gate, finished = asyncio.Event(), asyncio.Event()
            it.hub.slow[Connect] = gate

            def finish(_: Connect) -> Result:
                finished.set()
                return Done()

            it.hub.answers[Connect] = finish
            client, other = await connected(it, "d1"), await connected(it, "d2")
            await client.send(Connect("a"))
            await other.ask(GetSnapshot())
            await other.ask(RevokeDevice("d1"))
            await farewell(client, Problem.REVOKED)
            gate.set()
            async with asyncio.timeout(TIMEOUT):
                await finished.wait()

    asyncio.run(go())


def test_other_changes_disturb_nobody() -> None:
    """A front end that is renamed goes on."""

    async def go() -> None:
        async with world() as it:
            client = await connected(it, "d1")
            assert await client.ask(RenameDevice("d1", "desk")) == Done()
            assert await client.ask(GetSnapshot()) == it.hub.view

    asyncio.run(go())


def test_access_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that expires while it is in use ends the connection, though nobody has changed anything."""

    async def go() -> None:
        async with world(timing=Timing(recheck=0.02)) as it:
            client = await connected(it, "d1")
            assert await client.ask(GetSnapshot()) == it.hub.view
            later = time.time() + 2 * LIFETIME
            monkeypatch.setattr(it.gatekeeper, "_now", lambda: later)
            await farewell(client, Problem.EXPIRED)

    asyncio.run(go())
