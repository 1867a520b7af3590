"""Tells when the daemons that rule DNS come, go or are replaced, and when the machine wakes: time to look again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError

from slopn_helper.host.dns.bus import DAEMON, TIMEOUT

log = logging.getLogger(__name__)

SETTLE = 1.0
"""Seconds from a signal to its being told: a restarted daemon first goes, then comes, then reads its state."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the bus is tried again, doubled each time: a small host has none, and one may come up later than we."""
LOST = 10.0
"""Seconds until the loss of the bus is noticed."""
_NAMES = ("org.freedesktop.resolve1", "org.freedesktop.NetworkManager")
_SLEEP = "PrepareForSleep"
_RULES = (
    *(
        f"type='signal',sender='{DAEMON}',interface='{DAEMON}',member='NameOwnerChanged',arg0='{name}'"
        for name in _NAMES
    ),
    f"type='signal',sender='org.freedesktop.login1',interface='org.freedesktop.login1.Manager',member='{_SLEEP}'",
)
_FAILURES = (OSError, EOFError, ValueError, TimeoutError, DBusFastError)


async def changes() -> AsyncGenerator[str]:
    """A word each time that DNS should be looked at: whose coming or going it was, or `wake`. Never ends.

    Signals that come close together are told as one.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            async for word in _signals():
                pause = FIRST_PAUSE
                yield word
        except _FAILURES as error:
            log.debug("dns: the system bus can't be watched: %r", error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _signals() -> AsyncGenerator[str]:
    """Until the bus goes away. Raises one of `_FAILURES`."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    stirred = asyncio.Event()
    words: list[str] = []

    def heard(message: Message) -> None:
        if word := _word(message):
            words.append(word)
            stirred.set()

    try:
        async with asyncio.timeout(TIMEOUT):
            await bus.connect()
            bus.add_message_handler(heard)
            for rule in _RULES:
                await bus.call(
                    Message(
                        destination=DAEMON,
                        path="/org/freedesktop/DBus",
                        interface=DAEMON,
                        member="AddMatch",
                        signature="s",
                        body=[rule],
                    )
                )
        # What happened before the rules were in force was heard by nobody.
        yield "bus"
        while bus.connected:
            try:
                async with asyncio.timeout(LOST):
                    await stirred.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(SETTLE)
            stirred.clear()
            told = ", ".join(dict.fromkeys(words))
            words.clear()
            yield told
    finally:
        bus.disconnect()


def _word(message: Message) -> str | None:
    if message.message_type is not MessageType.SIGNAL:
        return None
    if message.member == "NameOwnerChanged" and message.sender == DAEMON:
        return str(message.body[0]).rpartition(".")[2]
    # Told before sleep with True; a program that feigns it makes us look once more, no oftener than each SETTLE.
    return "wake" if message.member == _SLEEP and message.body == [False] else None
