"""Figures and health of a running gateway: Prometheus' format on loopback, all of it on the administrator's socket.

What is counted says who and how much, never where to: no destination is known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvicorn

from slopn_helper.gateway.status import GatewayStatus
from slopn_helper.gateway.watch.app import App
from slopn_helper.gateway.watch.metrics import Metrics

_log = logging.getLogger(__name__)

_BACKLOG = 64


class Watch:
    """`status` is asked at each look. `port` 0: the socket alone. `per_device`: a series for each device as well."""

    def __init__(
        self,
        status: Callable[[], Awaitable[GatewayStatus]],
        *,
        port: int,
        socket: Path,
        per_device: bool = False,
    ) -> None:
        self.meter = Metrics(per_device=per_device)
        self._status = status
        self._port = port
        self._socket = socket

    async def run(self) -> None:
        """Answer until cancelled. Raises `OSError` if the administrator's socket can't be made."""
        with contextlib.ExitStack() as held:
            private = [held.enter_context(_unix(self._socket))]
            public = [held.enter_context(each) for each in _loopback(self._port)]
            async with asyncio.TaskGroup() as group:
                group.create_task(_serve(App(self._status, self.meter, private=True), private))
                if public:
                    group.create_task(_serve(App(self._status, self.meter, private=False), public))


class _Server(uvicorn.Server):
    """Inside our loop: signals are the program's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(app: App, sockets: list[socket.socket]) -> None:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=64,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    try:
        await server.serve(sockets)
    finally:
        # Cancelled, it leaves its sockets open.
        await server.shutdown(sockets)


@contextlib.contextmanager
def _unix(path: Path) -> Iterator[socket.socket]:
    """A listening socket at `path`, its owner's alone; what an earlier run left there is replaced."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        # Between bind and chmod nobody can connect, since it doesn't listen yet.
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(_BACKLOG)
        try:
            yield sock
        finally:
            path.unlink(missing_ok=True)


def _loopback(port: int) -> list[socket.socket]:
    """Sockets on 127.0.0.1 and ::1. One that isn't to be had is said, and no reason to let devices wait."""
    found: list[socket.socket] = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")) if port else ():
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue  # the kernel has no such family
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            _log.warning("no metrics on %s port %d: %s", address, port, error.strerror)
        else:
            found.append(sock)
    return found
