"""What a connection took is free as soon as it is closed: no circle of references waits for the garbage collector.

The collector counts objects, and TLS has tens of KiB in one: under a flood it would come hundreds of megabytes late.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from support.enrolment import World, serving
from support.registry import opened
from support.until import until_async

_HEAD = b"POST /v1/%s HTTP/1.1\r\nhost: g\r\ncontent-length: %d\r\n\r\n%s"
_TIMES = 5
_FEW = 32 << 10


def _servers() -> list[SSLProtocol]:
    return [each for each in gc.get_objects() if isinstance(each, SSLProtocol) and each._server_side]


async def _says(world: World, words: bytes, *, tls: bool = True, waits: bool = False) -> None:
    """One connection that says this, and goes: after an answer, or at once."""
    context = world.tls() if tls else None
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port, ssl=context)
        writer.write(words)
        if waits:
            await reader.read()
        writer.transport.abort()


async def _old(world: World) -> None:
    """TLS 1.2."""
    context = world.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with suppress(OSError):
        await asyncio.open_connection("127.0.0.1", world.port, ssl=context)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_closed_connections_hold_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """However they ended, in the handshake or in the middle of a request."""

    async def body() -> None:
        async with opened(sqlite_url) as registry, serving(registry, tmp_path) as world:
            ways: dict[str, Callable[[], Awaitable[None]]] = {
                "cut in the handshake": lambda: _says(world, b"\x16\x03\x01", tls=False),
                "no TLS": lambda: _says(world, b"GET / HTTP/1.0\r\n\r\n", tls=False, waits=True),
                "TLS 1.2": lambda: _old(world),
                "silent": lambda: _says(world, b""),
                "no HTTP": lambda: _says(world, b"\x00\x01\r\n\r\n", waits=True),
                "half a request": lambda: _says(world, _HEAD % (b"enrol", 9, b"{")),
                "gone before the answer": lambda: _says(world, _HEAD % (b"challenge", 2, b"{}")),
                "gone before a refusal": lambda: _says(world, _HEAD % (b"enrol", 2, b"{}")),
                "many at once": lambda: _says(world, _HEAD % (b"challenge", 2, b"{}") * 5),
            }
            gc.collect()
            gc.disable()
            try:
                for name, way in ways.items():
                    for _ in range(_TIMES):
                        await way()
                    await until_async(lambda: not _servers(), 60.0, f"nothing is left of: {name}")
            finally:
                gc.enable()

    asyncio.run(body())


def test_a_connection_is_small(sqlite_url: str, tmp_path: Path) -> None:
    """Strangers may hold hundreds of them."""

    async def body() -> None:
        async with opened(sqlite_url) as registry, serving(registry, tmp_path) as world:
            gc.collect()
            _reader, writer = await asyncio.open_connection("127.0.0.1", world.port, ssl=world.tls())
            (server,) = _servers()
            assert len(vars(server)["_ssl_buffer"]) <= _FEW
            writer.transport.abort()

    asyncio.run(body())
