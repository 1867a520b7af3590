from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from slopn_helper.host.firewall import FirewallError, waiting


class Row(dict[str, int]):
    """A neighbour as pyroute2 hands it out."""

    def __init__(self, state: int, address: str) -> None:
        super().__init__(state=state, family=2, ifindex=3)
        self.address = address

    def get_attr(self, name: str) -> str:
        """The only attribute that is asked for."""
        assert name == "NDA_DST"
        return self.address


class FakeRoute:
    """rtnetlink with a few neighbours."""

    def __init__(self, rows: list[Row], error: Exception | None = None) -> None:
        self.rows = rows
        self.error = error
        self.deleted: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def get_neighbours(self) -> AsyncIterator[Row]:
        """Dump."""

        async def each() -> AsyncIterator[Row]:
            for row in self.rows:
                yield row

        return each()

    async def neigh(self, command: str, **spec: Any) -> None:
        """Delete."""
        assert (command, spec["family"], spec["ifindex"]) == ("del", 2, 3)
        if self.error:
            raise self.error
        self.deleted.append(spec["dst"])


ROWS = [Row(0x01, "10.0.0.1"), Row(0x02, "10.0.0.2"), Row(0x80, "10.0.0.3"), Row(0x01, "10.0.0.4")]


def test_only_neighbours_being_asked_for_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reachable and permanent ones hold no packets."""
    fake = FakeRoute(ROWS)
    monkeypatch.setattr(waiting, "_factory", lambda: fake)
    assert asyncio.run(waiting.drop_waiting()) == 2
    assert fake.deleted == ["10.0.0.1", "10.0.0.4"]


def test_one_that_is_gone_meanwhile_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel has given up on it between the list and the deletion."""
    gone = NetlinkError(errno.ENOENT)  # type: ignore[no-untyped-call]
    monkeypatch.setattr(waiting, "_factory", lambda: FakeRoute(ROWS, gone))
    assert asyncio.run(waiting.drop_waiting()) == 0


def test_a_refused_socket_is_a_firewall_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller decides what that means."""

    def refuse() -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(waiting, "_factory", refuse)
    with pytest.raises(FirewallError, match="neighbour"):
        asyncio.run(waiting.drop_waiting())
