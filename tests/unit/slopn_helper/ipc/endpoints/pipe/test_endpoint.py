from __future__ import annotations

import asyncio

import pytest

from slopn_helper.ipc.endpoints.pipe.endpoint import NAME, WAITING, PipeEndpoint
from slopn_helper.ipc.endpoints.pipe.sddl import Sid, descriptor
from support.fake_pipe import ANN, EXE, FakeWindows, accept, run
from support.until import until_async


def test_the_first_instance_is_the_first_and_names_who_may() -> None:
    """From the start, before anybody is accepted; and none after it claims to be the first."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        assert windows.created == [(NAME, descriptor([ANN]), True)]
        connection, _ = await accept(windows, endpoint)
        connection.close()
        assert [first for _, _, first in windows.created] == [True] + [False] * (len(windows.created) - 1)
        assert {security for _, security, _ in windows.created} == {descriptor([ANN])}

    assert run(scene).open == set()


def test_a_name_that_is_taken_is_told() -> None:
    """A stranger was first: no helper, rather than one behind the stranger's list."""
    windows = FakeWindows()
    windows.taken = True
    with pytest.raises(PermissionError, match="taken by another program"):
        PipeEndpoint(windows, windows, [])


def test_who_cannot_be_let_in_stops_the_start() -> None:
    """No pipe is made for Everyone."""
    windows = FakeWindows()
    with pytest.raises(ValueError, match="no person's account"):
        PipeEndpoint(windows, windows, [Sid.parse("S-1-1-0")])
    assert windows.created == []


def test_a_client_comes_with_its_credentials_and_others_wait_on() -> None:
    """The full number of instances waits again before anything is said to the client."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        connection, theirs = await accept(windows, endpoint)
        assert (connection.peer.uid, connection.peer.sid, connection.peer.exe) == (1001, str(ANN), EXE)
        assert windows.waiting == WAITING
        connection.say(b"hello")
        assert theirs.recv(10) == b"hello"
        connection.close()
        connection.close()
        assert theirs.recv(10) == b""

    assert run(scene).open == set()


def test_a_client_that_is_none_of_ours_is_hung_up_on() -> None:
    """It is one client's error; the endpoint goes on."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        windows.integrity = 0x1000
        with pytest.raises(BaseExceptionGroup) as caught:
            await accept(windows, endpoint)
        assert caught.group_contains(PermissionError)
        windows.integrity = 0x2000
        connection, _ = await accept(windows, endpoint)
        connection.close()

    assert run(scene).open == set()


def test_clients_that_come_and_go_are_passed_over() -> None:
    """Each wave takes all instances before they could wait; the next client is still found."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        windows.gone_early = 3 * WAITING
        connection, _ = await accept(windows, endpoint)
        connection.close()

    assert run(scene).open == set()


def test_a_client_gone_before_it_was_seen_is_passed_over() -> None:
    """ConnectNamedPipe ends with ERROR_NO_DATA."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        async with asyncio.TaskGroup() as tasks:
            accepting = tasks.create_task(endpoint.accept())
            await until_async(lambda: windows.waiting, 10, "an instance that waits")
            windows.accepts[min(windows.accepts)].set_exception(BrokenPipeError("gone"))
            windows.connect()
        accepting.result().close()

    assert run(scene).open == set()


def test_no_more_instances_is_no_end_while_one_waits() -> None:
    """The last one that waits is used; without any, it is an error that goes by."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        windows.full = True
        connection, _theirs = await accept(windows, endpoint)
        with pytest.raises(OSError, match="no more instances"):
            await endpoint.accept()
        windows.full = False
        connection.close()
        connection, _ = await accept(windows, endpoint)
        connection.close()

    assert run(scene).open == set()


def test_the_list_changes_for_all_instances() -> None:
    """At once for those that wait, and for those that are made later."""
    ben = Sid.parse("S-1-5-21-1-2-3-1002")

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        endpoint.admit([ben])
        assert windows.protected == [(1, descriptor([ben]))]
        connection, _ = await accept(windows, endpoint)
        connection.close()
        assert windows.created[-1][1] == descriptor([ben])
        endpoint.admit([])
        assert windows.protected[-1][1] == descriptor([])
        with pytest.raises(ValueError, match="no person's account"):
            endpoint.admit([Sid.parse("S-1-5-11")])
        assert len(windows.protected) == 2

    run(scene)


def test_a_closed_endpoint_takes_nobody() -> None:
    """And leaves no instance."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        connection, _theirs = await accept(windows, endpoint)
        endpoint.close()
        assert len(windows.open) == 1
        with pytest.raises(ConnectionAbortedError):
            await endpoint.accept()
        connection.close()

    assert run(scene).open == set()


def test_a_waiting_accept_can_be_cancelled() -> None:
    """What waited still does, for the next call."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await endpoint.accept()
        made = len(windows.created)
        connection, _theirs = await accept(windows, endpoint)
        assert len(windows.created) == made + 1
        connection.close()

    run(scene)
