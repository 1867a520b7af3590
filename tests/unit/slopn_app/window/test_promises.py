"""Calls that wait for their answers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from slopn_app.window.promises import MOST, Promises
from support.until import until


def test_each_gets_its_own() -> None:
    """In whatever order they come; one for nobody is for nobody."""
    said: list[str] = []
    promises = Promises(said.append)
    with ThreadPoolExecutor(2) as pool:
        calls = {text: pool.submit(promises.answer, "ask", text) for text in ("a", "b")}
        until(lambda: len(said) == 2, 10, "both are said")
        for each in reversed([json.loads(text) for text in said]):
            promises.keep(each["id"] + 100, "nobody's")
            promises.keep(each["id"], f"to {each['text']}")
        assert {text: call.result(10) for text, call in calls.items()} == {"a": "to a", "b": "to b"}


def test_the_page_goes() -> None:
    """Nobody waits for ever."""
    said: list[str] = []
    promises = Promises(said.append)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(promises.answer, "local", "{}")
        until(lambda: bool(said), 10, "it is said")
        promises.break_all()
        assert json.loads(call.result(10))["error"]["code"] == "failed"


def test_too_many() -> None:
    """A page gone wild takes no more threads than so many; those that wait aren't disturbed."""
    said: list[str] = []
    promises = Promises(said.append)
    with ThreadPoolExecutor(MOST) as pool:
        calls = [pool.submit(promises.answer, "ask", "x") for _ in range(MOST)]
        until(lambda: len(said) == MOST, 10, "all are said")
        assert "too much" in promises.answer("ask", "one more")
        assert len(said) == MOST
        promises.break_all()
        assert all(call.result(10) for call in calls)
