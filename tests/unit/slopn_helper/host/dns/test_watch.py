from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType

from slopn_helper.host.dns import watch
from slopn_helper.host.dns.watch import _word

DAEMON = "org.freedesktop.DBus"


def signal(member: str, signature: str, *body: object, sender: str = ":1.7") -> Message:
    """A signal as it comes in."""
    return Message(
        message_type=MessageType.SIGNAL,
        path="/org/example",
        interface="org.example.Any",
        member=member,
        sender=sender,
        signature=signature,
        body=list(body),
    )


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (signal("NameOwnerChanged", "sss", "org.freedesktop.resolve1", "", ":1.9", sender=DAEMON), "resolve1"),
        (signal("NameOwnerChanged", "sss", "org.freedesktop.NetworkManager", ":1.9", "", sender=DAEMON), "NetworkManager"),
        (signal("NameOwnerChanged", "sss", "org.freedesktop.resolve1", "", ":1.9"), None),
        (signal("PrepareForSleep", "b", False), "wake"),
        (signal("PrepareForSleep", "b", True), None),
        (signal("Other", ""), None),
        (Message(path="/org/example", member="PrepareForSleep", signature="b", body=[False]), None),
    ],
)  # fmt: skip
def test_only_signals_that_mean_something_are_told(message: Message, word: str | None) -> None:
    """A name's owner is believed of the bus alone; the moment before sleep is none to look at DNS."""
    assert _word(message) == word


def test_without_a_bus_it_waits_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A small host has none: nothing is told, nothing fails, and the pauses grow."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    pauses: list[float] = []
    enough = asyncio.Event()
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            enough.set()
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)

    async def scenario() -> None:
        async def follow() -> None:
            async for word in watch.changes():
                raise AssertionError(word)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(follow())
            await enough.wait()
            task.cancel()

    asyncio.run(scenario())
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
