from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slopn_helper.gateway.paths import Paths
from slopn_helper.gateway.withdraw import LOCK, WithdrawError, withdraw
from slopn_helper.host.journal import Journal, SysctlWas
from slopn_helper.store.lock import StateLock

WAS = SysctlWas("net/ipv4/ip_forward", "0", "1")


class Host:
    """Remembers what was put back. `refuses`: what it says instead."""

    def __init__(self, folder: Path, *refuses: str) -> None:
        self.paths = Paths(folder, folder / "run", folder / "gateway.toml")
        self.put_back: list[str] = []
        self.let_in = 0
        self._refuses = refuses

    def withdraw(self) -> bool:
        """Take back everything."""
        return asyncio.run(withdraw(self.paths, put_back=self._put_back, let_in=self._let_in))

    async def _put_back(self, journal: Journal) -> list[str]:
        self.put_back += [entry.key for entry in journal.entries()]
        return list(self._refuses)

    def _let_in(self) -> None:
        self.let_in += 1


def test_where_no_gateway_was_there_is_nothing(tmp_path: Path) -> None:
    """Nor is anything made by looking."""
    host = Host(tmp_path / "state")
    assert not host.withdraw()
    assert not (tmp_path / "state").exists()


def test_what_the_journal_has_is_put_back(tmp_path: Path) -> None:
    """And whoever was banned is let in; with an empty journal there is nothing of ours."""
    host = Host(tmp_path)
    Journal(host.paths.journal).record(WAS)
    assert host.withdraw()
    assert (host.put_back, host.let_in) == ([WAS.key], 1)
    Journal(host.paths.journal).forget(WAS.key)
    assert not host.withdraw()
    assert host.let_in == 1


def test_a_running_gateways_rules_stay(tmp_path: Path) -> None:
    """It is named, and nothing is changed."""
    host = Host(tmp_path)
    Journal(host.paths.journal).record(WAS)
    running = StateLock(tmp_path / LOCK)
    running.acquire()
    with pytest.raises(WithdrawError, match="still runs"):
        host.withdraw()
    assert host.put_back == []
    running.release()


def test_what_cannot_be_put_back_is_said(tmp_path: Path) -> None:
    """Bans stay then as well: the rules may still be there."""
    host = Host(tmp_path, "It can't be done.")
    Journal(host.paths.journal).record(WAS)
    with pytest.raises(WithdrawError, match=r"It can't be done\."):
        host.withdraw()
    assert host.let_in == 0
    StateLock(tmp_path / LOCK).acquire()
