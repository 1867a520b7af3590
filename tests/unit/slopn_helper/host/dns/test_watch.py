from __future__ import annotations

import pytest
from dbus_fast import Message, MessageType

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
    ],
)  # fmt: skip
def test_only_signals_that_mean_something_are_told(message: Message, word: str | None) -> None:
    """A name's owner is believed of the bus alone; the moment before sleep is none to look at DNS."""
    assert _word(message) == word
