"""A D-Bus whose answers a test holds in its hand: what was asked is noted, no socket is opened."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from dbus_fast import Variant

from slopn_helper.host.dns import DnsError, bus
from slopn_helper.host.dns.bus import Refused, Service


class FakeBus:
    """Properties by name, and every call that changes something, in order."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        """Who is there."""
        self.properties: dict[str, Any] = {}
        self.calls: list[tuple[str, str, str, list[Any]]] = []
        """The object's interface, the method, its signature, and its arguments without variants."""
        self.refuses: set[str] = set()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeBus:
        """Take the real one's place."""
        monkeypatch.setattr(bus, "connection", self._connection)
        monkeypatch.setattr(bus, "call", self._call)
        return self

    @contextlib.asynccontextmanager
    async def _connection(self, word: str) -> AsyncIterator[Any]:
        if not self.names:
            raise DnsError(f"{word}: no system bus")
        yield self

    async def _call(self, _link: Any, service: Service, member: str, signature: str = "", *body: Any) -> Sequence[Any]:
        if member == "NameHasOwner":
            return [body[0] in self.names]
        if service.name not in self.names:
            raise Refused(f"{service.word}: {member}: nobody is there", "org.freedesktop.DBus.Error.NameHasNoOwner")
        if member == "Get":
            return [self.properties[body[1]]]
        if member in self.refuses:
            raise Refused(f"{service.word}: {member}: no", "org.example.No")
        self.calls.append((service.interface, member, signature, [_plain(one) for one in body]))
        if member == "Set":
            self.properties[body[1]] = body[2]
        return []


def _plain(value: Any) -> Any:
    """The value with each variant as a pair of its signature and what it holds."""
    if isinstance(value, Variant):
        return (value.signature, _plain(value.value))
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value
