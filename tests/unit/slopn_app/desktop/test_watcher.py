from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

import pytest

from slopn_app.client import HelperClient
from slopn_app.desktop.watcher import Watcher
from slopn_app.feed import Problem, ProblemKind
from slopn_app.trouble import Trouble
from slopn_wire.commands import Connect, Reconnect
from slopn_wire.events import Done, ErrorKind, Event, Refused, Snapshot, Stats
from slopn_wire.logs import LogFilter, Logs
from support.fake_helper import FakeHelper
from support.samples import CONNECTED
from support.tray import TIMEOUT, client
from support.until import until


@contextmanager
def _watching(connect: Callable[[], HelperClient], *arguments: Any, **more: Any) -> Iterator[Watcher]:
    watcher = Watcher(connect, *arguments, **more)
    try:
        yield watcher
    finally:
        watcher.close()


def test_each_change_is_told_and_commands_are_answered(helper: FakeHelper) -> None:
    """The state first, then what it becomes, on the watcher's own thread; a refusal is a result."""
    helper.answer(Connect, Refused(ErrorKind.INVALID, "no such profile"))
    told: list[Snapshot | Problem] = []
    threads: set[str] = set()

    def changed(view: Snapshot | Problem) -> None:
        told.append(view)
        threads.add(threading.current_thread().name)

    with _watching(lambda: client(helper.path), changed) as watcher:
        assert watcher.ask(Reconnect()).result(TIMEOUT) == Done()
        assert watcher.ask(Connect("x")).result(TIMEOUT) == Refused(ErrorKind.INVALID, "no such profile")
        helper.publish(helper.state(CONNECTED.state))
        until(
            lambda: isinstance(told[-1], Snapshot) and told[-1].state == CONNECTED.state,
            TIMEOUT,
            "the tunnel is told of",
        )
    assert threads == {"watcher"}


def test_every_message_is_told_to_who_wants_all(helper: FakeHelper) -> None:
    """A snapshot, then each event; a lost helper is a problem, and nothing is called once closed."""
    told: list[Any] = []
    with _watching(lambda: client(helper.path), on_message=told.append):
        until(lambda: told, TIMEOUT, "the state")
        helper.publish(Stats(1, 1), Stats(2, 2))
        until(lambda: len(told) == 3, TIMEOUT, "both events")
        assert told[1:] == [Event(2, Stats(1, 1)), Event(3, Stats(2, 2))]
        helper.stop()
        until(lambda: isinstance(told[-1], Problem), TIMEOUT, "the problem")
        assert told[-1].kind is ProblemKind.UNREACHABLE
    assert "watcher" not in {thread.name for thread in threading.enumerate()}


def test_a_front_end_that_fails_is_told_again(helper: FakeHelper) -> None:
    """What a callback raises stops neither it nor the others."""
    told: list[Any] = []

    def changed(view: Snapshot | Problem) -> None:
        told.append(view)
        raise ZeroDivisionError

    with _watching(lambda: client(helper.path), changed):
        until(lambda: told, TIMEOUT, "the state")
        helper.publish(helper.state(CONNECTED.state))
        until(lambda: len(told) >= 2, TIMEOUT, "the next state")


def test_log_lines_come_until_they_are_stopped(helper: FakeHelper) -> None:
    """Over a connection of their own."""
    lines: list[str] = []

    def add(batch: Logs | Problem) -> None:
        if isinstance(batch, Logs):
            lines.extend(line.message for line in batch.lines)

    with _watching(lambda: client(helper.path)) as watcher:
        stop = watcher.follow_logs(LogFilter(), add)
        helper.run(lambda: helper.logs.add(1000.0, "info", "x", "first"))
        until(lambda: "first" in lines, TIMEOUT, "the line")
        stop()
        stop()


def test_a_closed_watcher_answers_nobody(helper: FakeHelper) -> None:
    """Also what was asked before has an end."""
    helper.stop()
    watcher = Watcher(lambda: client(helper.path))
    waiting = watcher.ask(Reconnect())
    watcher.close()
    for each in (waiting, watcher.ask(Reconnect())):
        with pytest.raises(CancelledError):
            each.result(TIMEOUT)


def test_a_link_that_breaks_is_made_anew(helper: FakeHelper) -> None:
    """An error of ours is told as a problem, and over when the next link stands."""
    told: list[Any] = []
    made: list[int] = []

    def connect() -> HelperClient:
        made.append(1)
        if len(made) == 1:
            raise ZeroDivisionError
        return client(helper.path)

    with _watching(connect, told.append, pause=0.01) as watcher:
        until(lambda: len(told) >= 2 and isinstance(told[-1], Snapshot), TIMEOUT, "the state")
        assert told[0].kind is ProblemKind.FAILED
        assert watcher.ask(Reconnect()).result(TIMEOUT) == Done()


def test_a_helper_that_is_not_there_is_trouble(helper: FakeHelper) -> None:
    """Within the time that was given."""
    helper.stop()
    with _watching(lambda: client(helper.path)) as watcher, pytest.raises(Trouble):
        watcher.ask(Reconnect(), 0.2).result(TIMEOUT)
