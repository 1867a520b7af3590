from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from dbus_fast import Message, MessageFlag, Variant
from dbus_fast.errors import DBusError

from slopn_helper.host.dns import DnsError, bus
from slopn_helper.host.dns.bus import Refused, Service, call, get, owned

SERVICE = Service("them", "org.example.Them", "/org/example", "org.example.Them")


class Link:
    """A connection that notes the message and answers as told."""

    def __init__(self, answer: Callable[[Message], Awaitable[Message]]) -> None:
        self.answer = answer
        self.sent: list[Message] = []

    async def call(self, message: Message) -> Message:
        """Answer."""
        self.sent.append(message)
        message.serial = 1
        return await self.answer(message)


def returning(signature: str, *body: Any) -> Link:
    """A link that returns this."""

    async def answer(message: Message) -> Message:
        return Message.new_method_return(message, signature, list(body))

    return Link(answer)


def test_no_service_is_started_by_asking() -> None:
    """Golden: the message names the service and carries the flag that keeps the bus from starting it."""
    link: Any = returning("s", "yes")
    assert asyncio.run(call(link, SERVICE, "Do", "i", 7)) == ["yes"]
    (sent,) = link.sent
    assert (sent.destination, sent.path, sent.interface, sent.member) == (
        "org.example.Them",
        "/org/example",
        "org.example.Them",
        "Do",
    )
    assert (sent.signature, sent.body, sent.flags) == ("i", [7], MessageFlag.NO_AUTOSTART)


def test_a_property_is_unwrapped() -> None:
    """It comes as a variant."""
    link: Any = returning("v", Variant("s", "default"))
    assert asyncio.run(get(link, SERVICE, "Mode")) == "default"
    assert link.sent[0].body == ["org.example.Them", "Mode"]
    assert link.sent[0].interface == "org.freedesktop.DBus.Properties"


def test_who_is_there_is_asked_of_the_bus() -> None:
    """Not of the service, which may be stuck."""
    link: Any = returning("b", True)
    assert asyncio.run(owned(link, SERVICE)) is True
    assert (link.sent[0].destination, link.sent[0].body) == ("org.freedesktop.DBus", ["org.example.Them"])


def test_a_refusal_is_told_from_silence() -> None:
    """Its name is kept, and the message has the service's word."""

    async def refuse(message: Message) -> Message:
        return Message.new_error(message, "org.example.Denied", "not you")

    link: Any = Link(refuse)
    with pytest.raises(Refused, match=r"them: Do: org\.example\.Denied not you") as caught:
        asyncio.run(call(link, SERVICE, "Do"))
    assert caught.value.error == "org.example.Denied"


@pytest.mark.parametrize("error", [OSError("gone"), EOFError(), DBusError("org.example.Broken", "broken")])
def test_a_broken_link_is_a_dns_error(error: Exception) -> None:
    """Nothing of the library's comes through."""

    async def fail(_: Message) -> Message:
        raise error

    link: Any = Link(fail)
    with pytest.raises(DnsError, match="them: Do"):
        asyncio.run(call(link, SERVICE, "Do"))


def test_who_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stuck service costs the deadline and not more."""
    monkeypatch.setattr(bus, "TIMEOUT", 0.05)

    async def wait(_: Message) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    link: Any = Link(wait)
    with pytest.raises(DnsError, match="no answer within"):
        asyncio.run(call(link, SERVICE, "Do"))
