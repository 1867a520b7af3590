"""What others have changed is looked for between two inputs, and put back."""

from __future__ import annotations

from functools import partial

import pytest

from slopn_helper.tunnel.effects import ApplyFirewall, ConfigureHost
from slopn_helper.tunnel.inputs import (
    Drifted,
    HandshakeStale,
    Part,
)
from slopn_wire.settings import Settings
from slopn_wire.state import Connected, ErrorCause, ErrorState
from support.aio import in_loop
from support.drive import driving
from support.until import until_async


@in_loop
async def test_a_look_puts_back_what_others_changed() -> None:
    """Rules, and the tunnel's host; the tunnel stays. A look that finds nothing does nothing."""
    async with driving() as drive:
        await drive.connect()
        before = len(drive.host.done)
        drive.host.changed = (Drifted(Part.FIREWALL, "flushed"), Drifted(Part.HOST, "rule gone"))
        drive.driver.look()
        await until_async(lambda: len(drive.host.done) == before + 2, 10, "put back")
        drive.driver.look()
        await drive.driver.apply_settings(Settings()).wait()
        assert [type(effect) for effect in drive.host.done[before:]] == [ApplyFirewall, ConfigureHost]
        assert isinstance(drive.last.state, Connected)


@in_loop
async def test_what_is_not_put_back_is_not_looked_at() -> None:
    """Routes and DNS are compared while connected alone; the rules always."""
    async with driving() as drive:
        for settle in (drive.connect, partial(drive.reaches, Connected)):
            drive.driver.look()
            await drive.driver.apply_settings(Settings()).wait()
            await settle()
        drive.driver.post(HandshakeStale())
        drive.driver.look()
        await drive.driver.apply_settings(Settings()).wait()
    assert drive.host.looked_at_host == [False, True, False]


@in_loop
async def test_rules_that_cannot_be_put_back_block_nothing() -> None:
    """Nobody claims that what was flushed is in force."""
    async with driving() as drive:
        await drive.connect()
        drive.host.refuse[ApplyFirewall] = OSError("no nft")
        drive.host.changed = (Drifted(Part.FIREWALL, "flushed"),)
        drive.driver.look()
        await drive.reaches(ErrorState)
        assert drive.last.in_force is None
        assert drive.last.state == ErrorState(ErrorCause.FIREWALL, "a", blocking=False)


@in_loop
async def test_a_look_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and the next one finds what there is."""
    async with driving() as drive:
        await drive.connect()
        before = len(drive.host.done)
        drive.host.blind = OSError("no netlink")
        drive.driver.look()
        await drive.driver.apply_settings(Settings()).wait()
        assert len(drive.host.done) == before
    assert "no netlink" in caplog.text
