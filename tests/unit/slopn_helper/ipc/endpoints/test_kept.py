from __future__ import annotations

import array
import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper.ipc.endpoints import kept
from slopn_helper.ipc.endpoints.unix import UnixEndpoint
from slopn_helper.ipc.sockets import SOCKET_NAME


class Manager:
    """What systemd does with a service's sockets: it holds what it is given, and hands it to the next start."""

    def __init__(self, path: Path) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self.held: dict[str, int] = {}
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(str(path))
        self._end.setblocking(False)

    def listen(self) -> None:
        """Take what was sent."""
        with contextlib.suppress(BlockingIOError):
            while True:
                text, ancillary, _, _ = self._end.recvmsg(1000, 100)
                fields = dict(line.split("=", 1) for line in text.decode().splitlines())
                fds = [fd for _, _, data in ancillary for fd in array.array("i", data)]
                if "FDSTORE" in fields:
                    self.held[fields["FDNAME"]] = fds[0]
                elif "FDSTOREREMOVE" in fields:
                    os.close(self.held.pop(fields["FDNAME"]))

    def start(self, folder: Path) -> UnixEndpoint:
        """The service's next start."""
        self.listen()
        inherited = [(name, socket.socket(fileno=os.dup(fd))) for name, fd in self.held.items()]
        made = UnixEndpoint(folder, None, kept.SystemdKeeper(inherited, self.environment))
        self.listen()
        return made

    def close(self) -> None:
        """Forget all."""
        self._end.close()
        for fd in self.held.values():
            os.close(fd)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Up, and holding nothing."""
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For the helper's socket."""
    made = tmp_path / "run"
    made.mkdir()
    return made


def served(endpoint: UnixEndpoint, client: socket.socket) -> bool:
    """Whether `endpoint` accepts `client`, and says something to it."""
    client.settimeout(20.0)
    connection = asyncio.run(endpoint.accept())
    connection.say(b"here")
    connection.close()
    return client.recv(10) == b"here"


def test_who_connects_between_two_helpers_is_served_by_the_second(manager: Manager, folder: Path) -> None:
    """The first is gone; the connection is made all the same, and waits."""
    first = manager.start(folder)
    inode = first.path.lstat().st_ino
    first.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / SOCKET_NAME))
        second = manager.start(folder)
        assert second.path.lstat().st_ino == inode
        assert served(second, client)
        second.close()
    assert list(manager.held) == [f"{SOCKET_NAME}-{inode}"]


def test_a_socket_units_socket_is_taken(manager: Manager, folder: Path) -> None:
    """It was bound where it lies, under a name of the unit's; its mode is ours to set."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(folder / SOCKET_NAME))
        listener.listen()
        manager.held["slopn-helper.socket"] = os.dup(listener.fileno())
        client.connect(str(folder / SOCKET_NAME))
        endpoint = manager.start(folder)
        assert stat.S_IMODE(endpoint.path.lstat().st_mode) == 0o600
        assert served(endpoint, client)
        endpoint.close()


def test_a_held_socket_that_nothing_leads_to_is_let_go(manager: Manager, folder: Path) -> None:
    """Somebody has emptied the folder, or put another socket there: a new one is made, and held instead."""
    manager.start(folder).close()
    (folder / SOCKET_NAME).rename(folder / "kept-for-its-inode")
    with socket.socket(socket.AF_UNIX) as another, socket.socket(socket.AF_UNIX) as client:
        another.bind(str(folder / SOCKET_NAME))
        endpoint = manager.start(folder)
        assert len(manager.held) == 1
        client.connect(str(folder / SOCKET_NAME))
        assert served(endpoint, client)
        endpoint.close()


def test_no_systemd_holds_nothing() -> None:
    """Started by a person."""
    assert kept.by_systemd({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}) is None
