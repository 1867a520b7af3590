"""One thing after the other, at its time."""

from __future__ import annotations

import threading

from slopn_app.window.desk import Desk


def test_in_order_and_on_one_thread() -> None:
    """What is due later comes later, and what fails takes nothing with it."""
    desk, done = Desk("test"), threading.Event()
    said: list[tuple[str, str]] = []

    def say(word: str) -> None:
        said.append((word, threading.current_thread().name))

    def last() -> None:
        say("last")
        done.set()

    def fail() -> None:
        raise ValueError

    desk.later(0.2, last)
    desk.soon(lambda: say("first"))
    desk.soon(fail)
    desk.soon(lambda: say("second"))
    assert done.wait(10)
    assert said == [("first", "test"), ("second", "test"), ("last", "test")]
    desk.close()


def test_closed() -> None:
    """What isn't due yet isn't done."""
    desk, begun, go = Desk("test"), threading.Event(), threading.Event()
    said: list[int] = []

    def first() -> None:
        begun.set()
        go.wait(10)

    desk.soon(first)
    desk.soon(lambda: said.append(1))
    assert begun.wait(10)
    desk.close()
    go.set()
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(10)
    assert said == []
