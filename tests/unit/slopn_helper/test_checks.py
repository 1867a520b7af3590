"""Looks beside the tunnel, and what they put into the health list."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from slopn_helper import checks
from slopn_helper.engine import HandshakeDone, HandshakeStale
from slopn_helper.host.portal import Found, Verdict
from slopn_wire.commands import ApplySettings, Connect, Disconnect
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, ErrorCause, ErrorState, Step
from support.aio import in_loop
from support.daemon import CAFE, running
from support.until import until_async


@in_loop
async def test_names_that_are_answered_elsewhere_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the health list, for as long as it is so and a tunnel is up."""
    monkeypatch.setattr(checks, "DNS_EVERY", 0.01)
    async with running(tmp_path) as helper:
        helper.dns.finding = ("dns_elsewhere", "192.0.2.53 is asked")
        await helper.connect()
        await until_async(lambda: "192.0.2.53 is asked." in str(helper.hub.snapshot().health), 10, "told")
        helper.dns.finding = None
        await until_async(lambda: "is asked" not in str(helper.hub.snapshot().health), 10, "told no more")
        helper.dns.finding = ("dns_silent", "10.9.0.1 is silent")
        await until_async(lambda: "silent" in str(helper.hub.snapshot().health), 10, "told again")
        await helper.ask(Disconnect())
        await until_async(lambda: "silent" not in str(helper.hub.snapshot().health), 10, "told no more")


@in_loop
async def test_a_captive_portal_is_told_for_as_long_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While connecting fails; when the network lets through, the next try comes at once."""
    monkeypatch.setattr(checks, "PORTAL_EVERY", 0.01)
    monkeypatch.setattr(checks, "PORTAL_THERE_EVERY", 0.01)
    async with running(tmp_path) as helper:
        helper.verdict = Verdict(Found.PORTAL, "http://portal.example/")
        await helper.ask(Connect("lab"))
        await helper.at(Step.HANDSHAKE)
        assert helper.hub.snapshot().health == ()
        helper.engine.queue.put_nowait(HandshakeDone(helper.peer))
        await helper.reaches(lambda s: isinstance(s, Connected), "connected")
        helper.engine.queue.put_nowait(HandshakeStale(helper.peer))
        await until_async(lambda: "page at http://portal.example/" in str(helper.hub.snapshot().health), 10, "told")
        helper.resolve.asked.clear()
        helper.verdict = Verdict(Found.NONE)
        await until_async(lambda: "portal" not in str(helper.hub.snapshot().health), 10, "told no more")
        await until_async(lambda: bool(helper.resolve.asked), 10, "tried again")


@in_loop
async def test_in_mode_always_the_way_to_a_portal_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause opens nothing there, so the sentence says what does."""
    monkeypatch.setattr(checks, "PORTAL_EVERY", 0.01)
    monkeypatch.setattr(checks, "PORTAL_THERE_EVERY", 0.01)
    async with running(tmp_path) as helper:
        await helper.ask(ApplySettings(Settings(kill_switch=KillSwitchMode.ALWAYS)))
        helper.verdict = Verdict(Found.PORTAL)
        await helper.connect()
        helper.engine.queue.put_nowait(HandshakeStale(helper.peer))
        await until_async(lambda: "captive_portal_always" in str(helper.hub.snapshot().health), 10, "told")


@in_loop
async def test_a_refused_profile_says_why(tmp_path: Path) -> None:
    """In the health list, with the names of what is in the way; gone once the tunnel is up."""
    async with running(tmp_path) as helper:
        helper.router.links = ((ip_network("10.9.0.0/24"), "eth0"),)
        await helper.ask(Connect("lab"))
        await helper.reaches(lambda s: isinstance(s, ErrorState) and s.cause is ErrorCause.OVERLAP, "refused")
        assert "which eth0 is connected to" in str(helper.hub.snapshot().health)
        helper.router.links = ()
        helper.monitor.queue.put_nowait(CAFE)
        await helper.at(Step.HANDSHAKE)
        helper.engine.queue.put_nowait(HandshakeDone(helper.peer))
        await helper.reaches(lambda s: isinstance(s, Connected), "connected")
        assert "eth0" not in str(helper.hub.snapshot().health)
