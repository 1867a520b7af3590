"""Tells when the daemons that rule DNS come, go or are replaced, and when the machine wakes: time to look again."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from dbus_fast import Message

from slopn_helper.host.systembus import DAEMON, signals

SETTLE = 1.0
"""Seconds from a signal to its being told: a restarted daemon first goes, then comes, then reads its state."""
_NAMES = ("org.freedesktop.resolve1", "org.freedesktop.NetworkManager")
_SLEEP = "PrepareForSleep"
_RULES = (
    *(
        f"type='signal',sender='{DAEMON}',interface='{DAEMON}',member='NameOwnerChanged',arg0='{name}'"
        for name in _NAMES
    ),
    f"type='signal',sender='org.freedesktop.login1',interface='org.freedesktop.login1.Manager',member='{_SLEEP}'",
)


async def changes() -> AsyncGenerator[str]:
    """A word each time that DNS should be looked at: whose coming or going it was, or `wake`. Never ends.

    Signals that come close together are told as one.
    """
    async for heard in signals(_RULES, settle=SETTLE):
        words = dict.fromkeys(word for word in map(_word, heard.signals) if word)
        if words or not heard.signals:
            yield ", ".join(words) or "bus"


def _word(message: Message) -> str | None:
    if message.member == "NameOwnerChanged" and message.sender == DAEMON:
        return str(message.body[0]).rpartition(".")[2]
    # Told before sleep with True; a program that feigns it makes us look once more, no oftener than each SETTLE.
    return "wake" if message.member == _SLEEP and message.body == [False] else None
