from __future__ import annotations

import asyncio

import pytest

from support.until import Expired, until, until_async


def test_until_returns_the_first_true_value() -> None:
    """The predicate is asked again until it is true, and its value comes back."""
    values = iter([0, "", None, "there"])
    assert until(lambda: next(values), 5.0, "a value") == "there"


def test_until_says_what_it_waited_for() -> None:
    """After the deadline the error names what did not happen and what was seen last."""
    with pytest.raises(Expired, match=r"still not: the moon rises \(last seen: 0\)"):
        until(lambda: 0, 0.01, "the moon rises")


def test_until_lets_errors_through() -> None:
    """What the predicate raises is not swallowed."""
    with pytest.raises(ZeroDivisionError):
        until(lambda: 1 // 0, 5.0, "never")


def test_until_async_takes_both_kinds_of_predicate() -> None:
    """A plain function and a coroutine function both work, and the deadline holds for both."""
    values = iter([0, 0, 7, 0, 0, 8])

    async def later() -> int:
        return next(values)

    async def main() -> None:
        assert await until_async(lambda: next(values), 5.0, "seven") == 7
        assert await until_async(later, 5.0, "eight") == 8
        with pytest.raises(Expired, match="still not: nine"):
            await until_async(lambda: None, 0.01, "nine")

    asyncio.run(main())
