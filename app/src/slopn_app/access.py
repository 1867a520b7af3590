"""Reaching the helper from asyncio: what blocks (sockets, disk, keyring, a user who looks for a number) is a thread's."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from slopn_app.applicant import NumberWanted
from slopn_app.conversation import Conversation
from slopn_app.host.parts import Host
from slopn_app.link import HOST, handshake_failed
from slopn_app.pairing import Contact, Pairing
from slopn_app.trouble import FAILED, Late, Trouble
from slopn_wire.events import ErrorKind, Refused, Result

CONNECT_TIMEOUT = 5.0
RENEW_TIMEOUT = 15.0
_T = TypeVar("_T")


class Unpaired(Exception):
    """The helper doesn't accept our certificate; the message is its own."""


def accepted(result: Result) -> Result:
    """`result`, unless it is a refusal. Raises `Unpaired`, `Trouble`."""
    if isinstance(result, Refused):
        if result.kind is ErrorKind.NOT_PAIRED:
            raise Unpaired(result.message)
        passing = result.kind in {ErrorKind.NOT_PERMITTED, ErrorKind.LIMITED}
        raise Trouble(result.kind.value if passing else FAILED, *result.message.splitlines())
    return result


class Access:
    """One front end's way to the helper at `path`. For one event loop; `close` it.

    `say`: tells the user a sentence about the pairing, in any thread. `wanted` is called in the event loop when the user
    must repeat a number, for `give_number`.
    """

    def __init__(
        self,
        front_end: str,
        path: str,
        host: Host,
        *,
        say: Callable[[str], None],
        wanted: Callable[[NumberWanted], None],
    ) -> None:
        self._host = host
        self._pairing = Pairing(front_end, host, path, ask=self._wait_for_number, say=say)
        self._wanted = wanted
        # One thread: `Pairing` is for one at a time.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"pairing {front_end}")
        self._numbers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def close(self) -> None:
        """Nobody will give a number any more. Holds nobody up."""
        self._closed = True
        self._numbers.put(None)
        self._worker.shutdown(wait=False, cancel_futures=True)

    def give_number(self, number: str) -> None:
        """What the user typed."""
        self._numbers.put(number)

    @contextlib.asynccontextmanager
    async def talk(self) -> AsyncIterator[Conversation]:
        """A conversation, paired if need be; hung up at the end. Raises `Trouble`."""
        contact = await self._in_thread(lambda: self._pairing.contact(CONNECT_TIMEOUT))
        try:
            reader, writer = await self._host.transport.adopt(contact.stream, contact.context, HOST, CONNECT_TIMEOUT)
        except TimeoutError:
            raise Late(CONNECT_TIMEOUT) from None
        except (OSError, ValueError) as error:
            raise handshake_failed(error) from None
        talk = Conversation(reader, writer)
        try:
            yield talk
        finally:
            talk.close()

    async def refused(self, message: str) -> None:
        """See `Pairing.refused`. Raises `Trouble`."""
        await self._in_thread(lambda: self._pairing.refused(message, CONNECT_TIMEOUT))

    async def accepted(self) -> None:
        """See `Pairing.accepted`."""
        await self._in_thread(self._pairing.accepted)

    async def renew(self) -> None:
        """See `Pairing.renew_apart`."""
        await self._in_thread(lambda: self._pairing.renew_apart(RENEW_TIMEOUT))

    async def _in_thread(self, do: Callable[[], _T]) -> _T:
        self._loop = asyncio.get_running_loop()
        done = self._worker.submit(do)
        try:
            return await asyncio.wrap_future(done)
        except asyncio.CancelledError:
            done.add_done_callback(_hang_up)
            raise

    def _wait_for_number(self, wanted: NumberWanted) -> str | None:
        """In the worker's thread."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._numbers.get_nowait()
        if self._closed or self._loop is None:
            return None
        self._loop.call_soon_threadsafe(self._wanted, wanted)
        try:
            return self._numbers.get(timeout=max(wanted.expires - time.time(), 0))
        except queue.Empty:
            return None


def _hang_up(done: Future[_T]) -> None:
    """Nobody waits for a connection that was being made."""
    if not done.cancelled() and done.exception() is None and isinstance(contact := done.result(), Contact):
        contact.stream.close()
