from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import asked
from slopn_helper.gateway.status import GatewayStatus
from slopn_helper.gateway.watch import Watch
from support.gateway_status import peer, status
from support.until import until

FOUND = status(peer("a"))


async def found() -> GatewayStatus:
    """The same each time."""
    return FOUND


def watched(path: Path, port: int, look: Callable[[], object]) -> None:
    """`look` in a thread, while a watch answers; then the watch is cancelled."""

    async def main() -> None:
        watch = Watch(found, port=port, socket=path)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            task = group.create_task(watch.run())
            await asyncio.to_thread(until, path.exists, 30, "the socket is there")
            await asyncio.to_thread(look)
            task.cancel()

    asyncio.run(main())


def free_port() -> int:
    """One that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def get(host: str, port: int, path: str) -> int:
    """The status of an answer; 0: nobody is there."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionRefusedError:
        return 0
    finally:
        connection.close()


def test_the_socket_is_roots_and_says_all(tmp_path: Path) -> None:
    """What was left there by a gateway that was killed is replaced; a watch that ends takes its socket with it."""
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    path.unlink()
    seen = []

    def look() -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        seen.append(until(lambda: answered(path), 30, "the socket answers"))

    watched(path, 0, look)
    assert seen == [FOUND]
    assert not path.exists()
    with pytest.raises(cli.CliError, match="isn't running"):
        asked.status(path)


def test_loopback_has_the_figures_and_no_devices(tmp_path: Path) -> None:
    """On 127.0.0.1 and ::1, where there is IPv6; afterwards the port is free."""
    port = free_port()

    def look() -> None:
        assert until(lambda: get("127.0.0.1", port, "/metrics"), 30, "the port answers") == 200
        assert get("127.0.0.1", port, "/status") == 404
        with contextlib.suppress(OSError):
            assert get("::1", port, "/readyz") in {0, 200}

    watched(tmp_path / "admin.sock", port, look)
    assert get("127.0.0.1", port, "/metrics") == 0


def test_a_port_that_is_taken_is_no_end(tmp_path: Path) -> None:
    """The administrator's socket answers all the same."""
    path = tmp_path / "admin.sock"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        watched(path, taken.getsockname()[1], lambda: until(lambda: answered(path) is not None, 30, "it answers"))


def answered(path: Path) -> GatewayStatus | None:
    """None: not yet."""
    try:
        return asked.status(path)
    except cli.CliError:
        return None
