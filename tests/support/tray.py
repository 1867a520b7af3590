"""`HelperClient` in a test's own event loop, with a deadline on everything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from slopn_app.client import HelperClient
from slopn_app.feed import Problem
from slopn_app.host.parts import Host

TIMEOUT = 20.0
_T = TypeVar("_T")


def run(test: Coroutine[Any, Any, _T]) -> _T:
    """With a deadline."""

    async def bounded() -> _T:
        async with asyncio.timeout(3 * TIMEOUT):
            return await test

    return asyncio.run(bounded())


def client(path: str, *, host: Host | None = None) -> HelperClient:
    """A tray that doesn't wait long between tries."""
    return HelperClient(path, "tray", host=host, first_delay=0.01, longest_delay=0.05, slow_delay=0.05)


@contextlib.asynccontextmanager
async def following(messages: Any) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """The next message, each with a deadline; all closed in the end."""

    async def following() -> Any:
        async with asyncio.timeout(TIMEOUT):
            return await anext(messages)

    async with contextlib.aclosing(messages):
        yield following


async def after_problems(next_message: Callable[[], Awaitable[Any]]) -> Any:
    """The first message that is no problem."""
    while isinstance(message := await next_message(), Problem):
        pass
    return message


def in_thread(function: Callable[..., Any], *arguments: object) -> Any:
    """A blocking call beside the test's loop."""
    return asyncio.to_thread(function, *arguments)
