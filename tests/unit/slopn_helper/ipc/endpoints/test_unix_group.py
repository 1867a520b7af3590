"""The socket follows its group."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.endpoints.unix import UnixEndpoint

NOBODY = 65534
CONNECT = """
import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
print("connected", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def endpoint(folder: Path, group: int | None = None) -> Iterator[UnixEndpoint]:
    """An endpoint that is closed in the end."""
    made = UnixEndpoint(folder, group)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def client(path: Path, *, extra_groups: tuple[int, ...] = (), user: int | None = None) -> Iterator[int]:
    """Another process that is connected to `path`; its pid."""
    # -I: the interpreter reads nothing below a home that this user may not enter.
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", CONNECT, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=user,
        group=user,
        extra_groups=extra_groups if user is not None else None,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        try:
            yield process.pid
        finally:
            process.communicate(timeout=10)


def accept(listening: UnixEndpoint) -> Credentials:
    """Who connected."""

    async def go() -> Credentials:
        async with asyncio.timeout(10):
            connection = await listening.accept()
        connection.close()
        return connection.peer

    return asyncio.run(go())


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return [path.name for path in folder.iterdir()]


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_group_may_come_and_go(tmp_path: Path) -> None:
    """One that is made while the helper runs lets its members in at once; one that is gone lets nobody in."""
    group = grp.getgrgid(NOBODY).gr_gid
    with endpoint(tmp_path) as listening:
        for now, closed in ((group, 0o660), (None, 0o600)):
            listening.belong_to(now)
            listening.open_to_all(False)
            assert mode(listening.path) == closed
            assert listening.path.lstat().st_gid == (os.getegid() if now is None else now)
