"""One TLS connection to the helper under asyncio: questions with their answers, and everything else that comes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator

import msgspec

from slopn_app.link import alerted
from slopn_app.trouble import HungUp, Nonsense
from slopn_wire.codec import encode, server_decoder
from slopn_wire.commands import Command, Request
from slopn_wire.events import Event, Lagged, Reply, Result
from slopn_wire.framing import MAX_MESSAGE, Deframer, FrameTooLarge, frame
from slopn_wire.logs import Logs

_CHUNK = 1 << 16


class Conversation:
    """`messages` must be read for anything to happen; its end answers all open questions with what ended it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = Deframer(MAX_MESSAGE)
        self._last_id = 0
        self._open: dict[int, asyncio.Future[Result]] = {}
        self._ended = False

    async def ask(self, command: Command, key: str = "") -> Result:
        """The answer, a refusal, too. Raises what ended the conversation (`Trouble`)."""
        if self._ended:
            raise HungUp
        number = self.send(command, key)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        try:
            return await answer
        finally:
            self._open.pop(number, None)

    def send(self, command: Command, key: str = "") -> int:
        """Ask, and have the reply come with `messages`; its id."""
        self._last_id += 1
        self._writer.write(frame(encode(Request(self._last_id, command, key))))
        return self._last_id

    async def messages(self) -> AsyncGenerator[Reply | Event | Logs | Lagged]:
        """What comes, but for the answers to `ask`. Raises `Trouble` at the end; there is always one. Close it (`aclosing`)."""
        error: BaseException = HungUp()
        try:
            while True:
                for message in await self._received():
                    if isinstance(message, Reply) and message.id in self._open:
                        answer = self._open.pop(message.id)
                        if not answer.done():
                            answer.set_result(message.result)
                    else:
                        yield message
        except Exception as ending:
            error = ending
            raise
        finally:
            self._ended = True
            for answer in self._open.values():
                if not answer.done():
                    answer.set_exception(error)
            self._open.clear()

    def close(self) -> None:
        """Hang up at once."""
        self._writer.transport.abort()

    async def _received(self) -> list[Reply | Event | Logs | Lagged]:
        try:
            data = await self._reader.read(_CHUNK)
        except ssl.SSLError as error:
            raise alerted(error) from None
        except OSError:
            data = b""
        if not data:
            raise HungUp
        try:
            return [server_decoder.decode(payload) for payload in self._frames.feed(data)]
        except (msgspec.DecodeError, UnicodeDecodeError, FrameTooLarge) as error:
            raise Nonsense(error) from None
