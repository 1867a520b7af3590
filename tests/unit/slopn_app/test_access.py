from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from slopn_app import bootstrap
from slopn_app.access import Access, Unpaired, accepted
from slopn_app.applicant import NumberWanted
from slopn_app.trouble import FAILED, LIMITED, NOT_PERMITTED, UNREACHABLE, Trouble
from slopn_wire.events import Done, ErrorKind, Refused
from support.fake_helper import FakeHelper
from support.tray import TIMEOUT, run
from support.until import until_async


def access(path: str, asked: list[NumberWanted] | None = None) -> Access:
    """A tray's."""
    wanted = [] if asked is None else asked
    return Access("tray", path, bootstrap.host(), say=lambda _: None, wanted=wanted.append)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (ErrorKind.NOT_PERMITTED, NOT_PERMITTED),
        (ErrorKind.LIMITED, LIMITED),
        (ErrorKind.FAILED, FAILED),
        (ErrorKind.INVALID, FAILED),
        (ErrorKind.CONFLICT, FAILED),
    ],
)
def test_a_refusal_is_trouble(kind: ErrorKind, told: str) -> None:
    """Of a kind that front ends know; with its sentences."""
    with pytest.raises(Trouble) as raised:
        accepted(Refused(kind, "No.\nBecause."))
    assert (raised.value.kind, raised.value.lines) == (told, ("No.", "Because."))


def test_a_certificate_that_does_not_count_is_something_else() -> None:
    """Something can be done about it: pair again. And what is no refusal passes."""
    with pytest.raises(Unpaired, match="pair again"):
        accepted(Refused(ErrorKind.NOT_PAIRED, "pair again"))
    assert accepted(Done()) == Done()


def test_a_talk_ends_with_its_context(helper: FakeHelper) -> None:
    """The helper sees that we are gone."""

    async def go() -> None:
        way = access(helper.path)
        async with way.talk() as talk:
            pass
        with pytest.raises(Trouble) as raised:
            async for _ in talk.messages():
                pass
        assert raised.value.kind == UNREACHABLE
        way.close()

    run(go())


def test_whoever_stops_waiting_leaves_no_connection(helper: FakeHelper, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread can't be stopped; what it has connected to by then is closed by itself."""
    entered, go_on = threading.Event(), threading.Event()
    made: list[socket.socket] = []

    async def go() -> None:
        way = access(helper.path)
        contact = way._pairing.contact

        def slow(timeout: float) -> object:
            entered.set()
            go_on.wait(TIMEOUT)
            found = contact(timeout)
            assert isinstance(found.stream, socket.socket)
            made.append(found.stream)
            return found

        monkeypatch.setattr(way._pairing, "contact", slow)

        async def talk() -> None:
            async with way.talk():
                pass

        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(talk())
            await until_async(entered.is_set, TIMEOUT, "the thread is at it")
            waiting.cancel()
        go_on.set()
        await until_async(lambda: [stream.fileno() for stream in made] == [-1], TIMEOUT, "the stream is closed")
        way.close()

    run(go())


def test_no_number_comes_after_the_end() -> None:
    """A pairing that has just begun ends at once, and asks nobody."""
    asked: list[NumberWanted] = []
    way = access("/none", asked)
    way.close()
    assert way._wait_for_number(NumberWanted(time.time() + 100, "")) is None
    assert asked == []


def test_a_number_has_its_time() -> None:
    """Nobody typed any."""

    async def go() -> None:
        asked: list[NumberWanted] = []
        way = access("/none", asked)
        wanted = NumberWanted(time.time() + 0.05, "")
        assert await way._in_thread(lambda: way._wait_for_number(wanted)) is None
        assert asked == [wanted]
        way.close()

    run(go())
