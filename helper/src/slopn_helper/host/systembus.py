"""Signals of the system bus, for whoever must look again when a daemon comes, goes or tells something.

No service is ever started by listening or asking. Who may send to the bus may send us a signal that fits no rule, and
name any interface in it: a signal only says that it is time to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Any, NamedTuple

from dbus_fast import BusType, Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError

log = logging.getLogger(__name__)

DAEMON = "org.freedesktop.DBus"
TIMEOUT = 5.0
"""Seconds for one call."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the bus is tried again, doubled each time: a small host has none, and one may come up later than we."""
LOST = 10.0
"""Seconds until the loss of the bus is noticed."""
_FAILURES = (OSError, EOFError, ValueError, TimeoutError, DBusFastError)


class Heard(NamedTuple):
    """What has come since the last item."""

    signals: tuple[Message, ...]
    """Empty once the bus was reached: what happened before was heard by nobody."""
    answer: Any = None
    """The first value of the answer to the question asked; None: nobody is there to ask, or it can't say."""


class Question(NamedTuple):
    """A method call without a side effect."""

    service: str
    path: str
    interface: str
    member: str
    signature: str
    body: tuple[Any, ...]


async def signals(rules: Sequence[str], *, settle: float = 0.0, ask: Question | None = None) -> AsyncGenerator[Heard]:
    """The signals that fit one of the match `rules`, as they come, those within `settle` seconds together. Never ends.

    If there is something to `ask`, it is asked before each item.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            async for heard in _until_lost(rules, settle, ask):
                pause = FIRST_PAUSE
                yield heard
        except _FAILURES as error:
            log.debug("the system bus can't be watched: %r", error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _until_lost(rules: Sequence[str], settle: float, ask: Question | None) -> AsyncGenerator[Heard]:
    """Until the bus goes away. Raises one of `_FAILURES`."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    stirred = asyncio.Event()
    waiting: list[Message] = []

    def hear(message: Message) -> None:
        if message.message_type is MessageType.SIGNAL:
            waiting.append(message)
            stirred.set()

    try:
        async with asyncio.timeout(TIMEOUT):
            await bus.connect()
            bus.add_message_handler(hear)
            for rule in rules:
                await bus.call(Message(DAEMON, "/org/freedesktop/DBus", DAEMON, "AddMatch", signature="s", body=[rule]))
        waiting.clear()
        yield Heard((), await _answer(bus, ask))
        while bus.connected:
            try:
                async with asyncio.timeout(LOST):
                    await stirred.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(settle)
            stirred.clear()
            told = tuple(waiting)
            waiting.clear()
            if told:
                yield Heard(told, await _answer(bus, ask))
    finally:
        bus.disconnect()


async def _answer(bus: MessageBus, ask: Question | None) -> Any:
    if ask is None:
        return None
    service, path, interface, member, signature, body = ask
    message = Message(
        service, path, interface, member, signature=signature, body=list(body), flags=MessageFlag.NO_AUTOSTART
    )
    async with asyncio.timeout(TIMEOUT):
        reply = await bus.call(message)
    return reply.body[0] if reply.message_type is MessageType.METHOD_RETURN and reply.body else None
