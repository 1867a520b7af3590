"""Waiting for a condition with a deadline: the only way a test synchronises with something it did not call."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05


class Expired(AssertionError):
    """The deadline passed; the message says what was waited for."""


def until(predicate: Callable[[], T], timeout: float, what: str) -> T:
    """Poll `predicate` until it is true and return its value; after `timeout` seconds raise `Expired` with `what`.

    What the predicate raises comes through: catch inside it what may happen on the way.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Expired(f"{timeout:g} s passed and still not: {what} (last seen: {value!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


@overload
async def until_async(predicate: Callable[[], Awaitable[T]], timeout: float, what: str) -> T: ...  # noqa: ASYNC109
@overload
async def until_async(predicate: Callable[[], T], timeout: float, what: str) -> T: ...  # noqa: ASYNC109
async def until_async(predicate: Callable[[], Any], timeout: float, what: str) -> Any:  # noqa: ASYNC109 - the deadline's sentence needs it
    """As `until`, without blocking the event loop; `predicate` may be a coroutine function."""
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Expired(f"{timeout:g} s passed and still not: {what} (last seen: {value!r})")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
