from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper import notify


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd listens on, at `tmp_path / "notify"`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def test_a_message_arrives_whole(manager: socket.socket, tmp_path: Path) -> None:
    """One datagram, as it was given."""
    notify.tell(f"{notify.READY}\nSTATUS=up", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
    assert manager.recv(100) == b"READY=1\nSTATUS=up"


def test_an_abstract_socket() -> None:
    """Its name is written with an @ in place of the zero byte."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0slopn-test-{os.getpid()}")
        sock.settimeout(5)
        notify.tell(notify.STOPPING, {"NOTIFY_SOCKET": f"@slopn-test-{os.getpid()}"})
        assert sock.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("path", ["", "relative", "vsock:2:1234", "/nowhere/at/all", f"/{'x' * 200}"])
def test_nobody_who_listens_is_no_error(path: str) -> None:
    """Not started by systemd, or by one that is gone."""
    notify.tell(notify.READY, {"NOTIFY_SOCKET": path} if path else {})


def test_a_manager_that_reads_no_more_blocks_nobody(manager: socket.socket, tmp_path: Path) -> None:
    """Its queue is full: the message is lost, the event loop goes on."""
    for _ in range(2000):
        notify.tell(notify.ALIVE, {"NOTIFY_SOCKET": str(tmp_path / "notify")})
    assert manager.recv(100) == b"WATCHDOG=1"


def test_signs_of_life_until_cancelled(manager: socket.socket, tmp_path: Path) -> None:
    """More than one, since the watchdog looks again in each period."""
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000"}

    async def live() -> list[bytes]:
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            life = tasks.create_task(notify.keep_alive(environment))
            seen = [await asyncio.to_thread(manager.recv, 100) for _ in range(3)]
            life.cancel()
        return seen

    assert asyncio.run(live()) == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    ("environment", "period"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
    ],
)
def test_the_period(environment: dict[str, str], period: float | None) -> None:
    """As sd_watchdog_enabled(3) reads it; without one, keeping alive ends at once."""
    assert notify.watchdog_period(environment) == period
    if period is None:
        asyncio.run(asyncio.wait_for(notify.keep_alive(environment), 5))


def test_inherited_sockets_come_with_their_names_once() -> None:
    """As sd_listen_fds(3) says it; no child shall take them for its own. A file that is no socket is left out."""
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    with ours, theirs:
        first = 200
        os.dup2(ours.fileno(), first)
        os.dup2(reading, first + 1)
        environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a-7:fifo", "HOME": "/"}
        ((name, end),) = notify.inherited(environment, first)
        with end:
            assert (name, end.family, end.get_inheritable()) == ("a-7", socket.AF_UNIX, False)
        assert environment == {"HOME": "/"}
        assert notify.inherited(environment, first) == []
    for number in (reading, writing, first + 1):
        os.close(number)


@pytest.mark.parametrize("count", ["", "x", "-1"])
@pytest.mark.parametrize("pid", ["", "1", str(os.getpid())], ids=["none", "another", "ours"])
def test_what_is_inherited_by_another_is_not_ours(pid: str, count: str) -> None:
    """Another process's, or no number at all."""
    assert notify.inherited({"LISTEN_PID": pid, "LISTEN_FDS": count, "LISTEN_FDNAMES": "a"}) == []
