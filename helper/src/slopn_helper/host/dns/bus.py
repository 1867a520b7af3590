"""The system bus as the mechanisms use it: one short connection a task, and no service is ever started by asking.

On a host where a service's unit is masked, asking for it would block for 25 s.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from dbus_fast import BusType, Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from slopn_helper.host.dns import DnsError

TIMEOUT = 5.0
"""Seconds for one call: these services answer in milliseconds or are stuck."""
DAEMON = "org.freedesktop.DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"


class Service(NamedTuple):
    """Whom to ask: the word for messages, the name on the bus, the object and its interface."""

    word: str
    name: str
    path: str
    interface: str


class Refused(DnsError):
    """The service answered, and the answer was no. `error` is D-Bus's name for why."""

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error


@contextlib.asynccontextmanager
async def connection(word: str) -> AsyncIterator[MessageBus]:
    """The system bus for as long as the block lasts. Raises `DnsError`, which `word` begins."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        async with asyncio.timeout(TIMEOUT):
            await bus.connect()
    except (OSError, DBusError, EOFError, ValueError) as error:
        bus.disconnect()
        raise DnsError(f"{word}: no system bus: {error!r}") from error
    try:
        yield bus
    finally:
        bus.disconnect()


async def owned(bus: MessageBus, service: Service) -> bool:
    """Whether somebody is there under the service's name now. Raises `DnsError`."""
    daemon = Service(service.word, DAEMON, "/org/freedesktop/DBus", DAEMON)
    (answer,) = await call(bus, daemon, "NameHasOwner", "s", service.name)
    return bool(answer)


async def is_running(service: Service) -> bool:
    """Whether the service is on the system bus. No bus counts as no."""
    try:
        async with connection(service.word) as bus:
            return await owned(bus, service)
    except DnsError:
        return False


async def get(bus: MessageBus, service: Service, name: str) -> Any:
    """A property's value. Raises `DnsError`."""
    asked = service._replace(interface=PROPERTIES)
    (value,) = await call(bus, asked, "Get", "ss", service.interface, name)
    return value.value if isinstance(value, Variant) else value


async def call(bus: MessageBus, service: Service, member: str, signature: str = "", *body: Any) -> Sequence[Any]:
    """Call a method and return what it returns. Raises `Refused` and `DnsError`."""
    message = Message(
        destination=service.name,
        path=service.path,
        interface=service.interface,
        member=member,
        signature=signature,
        body=list(body),
        flags=MessageFlag.NO_AUTOSTART,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            reply = await bus.call(message)
    except TimeoutError as error:
        raise DnsError(f"{service.word}: {member}: no answer within {TIMEOUT:g} s") from error
    except (OSError, DBusError, EOFError) as error:
        raise DnsError(f"{service.word}: {member}: {error}") from error
    if reply.message_type == MessageType.ERROR:
        said = f"{service.word}: {member}: {reply.error_name} {' '.join(map(str, reply.body))}"
        raise Refused(said, str(reply.error_name))
    return list(reply.body)
