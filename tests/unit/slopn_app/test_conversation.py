from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from slopn_app.conversation import Conversation
from slopn_app.trouble import INCOMPATIBLE, NOT_PAIRED, UNREACHABLE, Trouble
from slopn_wire.codec import encode, request_decoder
from slopn_wire.commands import Connect, Reconnect, Request
from slopn_wire.events import Done, ErrorKind, Lagged, Refused, Reply
from slopn_wire.framing import Deframer, frame

TIMEOUT = 20.0


class Pipe:
    """What a conversation writes, and a reader that the test feeds."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        self.written = b""
        self.aborted = False
        self.transport = self

    def write(self, data: bytes) -> None:
        """See `StreamWriter.write`."""
        self.written += data

    def abort(self) -> None:
        """See `WriteTransport.abort`."""
        self.aborted = True
        self.reader.feed_eof()

    def asked(self) -> list[Request]:
        """Every request so far."""
        return [request_decoder.decode(payload) for payload in Deframer(1 << 20).feed(self.written)]


def run(test: Callable[[Pipe, Conversation], Coroutine[Any, Any, None]]) -> None:
    """With a deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(TIMEOUT):
            pipe = Pipe()
            await test(pipe, Conversation(pipe.reader, pipe))  # type: ignore[arg-type]

    asyncio.run(bounded())


async def ended(conversation: Conversation) -> Trouble:
    """How it ends."""

    async def read() -> None:
        async with contextlib.aclosing(conversation.messages()) as messages:
            async for _ in messages:
                pass

    with pytest.raises(Trouble) as raised:
        await read()
    return raised.value


def test_each_question_has_its_own_answer() -> None:
    """Whatever order they come in; what nobody has asked for is a message."""

    async def go(pipe: Pipe, conversation: Conversation) -> None:
        async with asyncio.TaskGroup() as tasks:
            one = tasks.create_task(conversation.ask(Connect("x"), "key"))
            two = tasks.create_task(conversation.ask(Reconnect()))
            await asyncio.sleep(0)
            assert pipe.asked() == [Request(1, Connect("x"), "key"), Request(2, Reconnect())]
            refused = Refused(ErrorKind.INVALID, "no")
            for message in (Reply(2, refused), Lagged(), Reply(1, Done()), Reply(7, Done())):
                pipe.reader.feed_data(frame(encode(message)))
            async with contextlib.aclosing(conversation.messages()) as messages:
                assert [await anext(messages), await anext(messages)] == [Lagged(), Reply(7, Done())]
                assert (await one, await two) == (Done(), refused)

    run(go)


def test_the_end_answers_all_that_is_open() -> None:
    """Nobody waits for an answer that can't come; who asks afterwards is told at once."""

    async def go(pipe: Pipe, conversation: Conversation) -> None:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(asyncio.wait([asyncio.ensure_future(conversation.ask(Connect("x")))]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            conversation.close()
            assert pipe.aborted
            assert (await ended(conversation)).kind == UNREACHABLE
            ((answer,), _) = await asked
        assert isinstance(answer.exception(), Trouble)
        with pytest.raises(Trouble):
            await conversation.ask(Reconnect())

    run(go)


def test_who_gives_up_waiting_leaves_nothing_open() -> None:
    """The answer that comes too late is a message like any other."""

    async def go(pipe: Pipe, conversation: Conversation) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await conversation.ask(Connect("x"))
        pipe.reader.feed_data(frame(encode(Reply(1, Done()))))
        async with contextlib.aclosing(conversation.messages()) as messages:
            assert await anext(messages) == Reply(1, Done())

    run(go)


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", frame(b"{}"), frame(b'"\xff\xff"'), frame(b"[" * 10_000)])
def test_what_makes_no_sense_ends_it(raw: bytes) -> None:
    """Rubbish is an error that says so."""

    async def go(pipe: Pipe, conversation: Conversation) -> None:
        pipe.reader.feed_data(raw)
        assert (await ended(conversation)).kind == INCOMPATIBLE

    run(go)


def alert() -> ssl.SSLError:
    """As OpenSSL makes one."""
    made = ssl.SSLError(1, "x")
    made.reason = "TLSV1_ALERT_UNKNOWN_CA"
    return made


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ConnectionResetError(), UNREACHABLE), (ssl.SSLError(1, "x"), UNREACHABLE), (alert(), NOT_PAIRED)],
)
def test_a_connection_that_breaks_ends_it(error: Exception, kind: str) -> None:
    """An alert of TLS is the helper's word about our certificate."""

    async def go(pipe: Pipe, conversation: Conversation) -> None:
        pipe.reader.set_exception(error)
        assert (await ended(conversation)).kind == kind

    run(go)
