"""What lasts: a pause over a restart, and what was set on the host though others change it."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper import daemon as module
from slopn_helper.tunnel.inputs import Started
from slopn_wire.commands import Connect, Pause
from slopn_wire.events import PolicyKind
from slopn_wire.state import Connected, Disconnected, ErrorCause, ErrorState, Step, TargetState
from support.aio import in_loop
from support.daemon import Helper, running
from support.fakes import HOME, FakeDns, FakeFirewall, FakeRouter
from support.until import until_async


@in_loop
async def test_a_pause_survives(tmp_path: Path) -> None:
    """A helper that ends while paused leaves the host open; the next one waits, and connects when the time is up."""
    async with running(tmp_path) as helper:
        await helper.connect()
        await helper.ask(Pause(600))
        await helper.reaches(lambda s: s == Disconnected(resume="lab"), "paused")
    assert helper.hub.snapshot().policy is PolicyKind.OPEN
    async with running(tmp_path) as again:
        assert again.hub.snapshot().state == Disconnected(resume="lab")
        assert again.hub.snapshot().target is TargetState.PAUSED
        await again.ask(Pause(1))
        await again.at(Step.HANDSHAKE)
        assert (again.hub.snapshot().target, again.hub.snapshot().paused_until) == (TargetState.SECURED, None)
        assert again.hub.snapshot().policy is PolicyKind.BLOCKED


@in_loop
async def test_what_the_last_helper_left_closed_stays_closed(tmp_path: Path) -> None:
    """Its table is told as another's before the core has begun, which knows of no wish then: that opens nothing."""
    async with running(tmp_path) as helper:
        await helper.connect()
    again = Helper(tmp_path)
    again.firewall.changed = "a table of an earlier process is in force"
    again.firewall.told.put_nowait("as it was")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(again.daemon.run(again.stop, lambda: None))
        await until_async(again.firewall.told.empty, 10, "the word is heard")
        again.monitor.queue.put_nowait(HOME)
        await again.at(Step.HANDSHAKE)
        again.stop.set()
    again.store.unlock()
    assert isinstance(again.noted[0][1], Started)


@in_loop
async def test_what_others_change_is_put_back_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules, routes and DNS, each by its own mechanism; the tunnel stays, and the health list says what happened."""
    monkeypatch.setattr(module, "DRIFT_EVERY", 0.01)
    async with running(tmp_path) as helper:
        await helper.connect()
        parts: tuple[FakeFirewall | FakeRouter | FakeDns, ...] = (helper.firewall, helper.router, helper.dns)
        for number, part in enumerate(parts):
            await _changed(helper, part, f"change {number}")
        assert isinstance(helper.hub.snapshot().state, Connected)
        assert helper.hub.snapshot().policy is PolicyKind.TUNNELLED


@in_loop
async def test_rules_that_cannot_be_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody claims that they still block."""
    monkeypatch.setattr(module, "DRIFT_EVERY", 0.01)
    async with running(tmp_path) as helper:
        await helper.connect()
        helper.firewall.refuse["firewall.apply"] = OSError("no nft")
        helper.firewall.changed = "flushed"
        await helper.reaches(lambda s: s == ErrorState(ErrorCause.FIREWALL, "lab", blocking=False), "error")
        assert helper.hub.snapshot().policy is PolicyKind.UNKNOWN
        helper.firewall.refuse.clear()


async def _changed(helper: Helper, part: FakeFirewall | FakeRouter | FakeDns, what: str) -> None:
    """Somebody changes `part`; wait until that is mended and told."""
    part.changed = what
    await until_async(lambda: part.changed is None, 10, f"{what}: put back")
    await until_async(lambda: what in str(helper.hub.snapshot().health), 10, f"{what}: told")


@in_loop
async def test_word_of_a_change_is_looked_into_at_once(tmp_path: Path) -> None:
    """Not only when it is time for a look."""
    async with running(tmp_path) as helper:
        await helper.connect()
        helper.dns.changed = "resolved restarted"
        helper.dns.told.put_nowait("resolved")
        await until_async(lambda: helper.dns.changed is None, 4, "put back before the next look")


@in_loop
async def test_word_of_changed_rules_is_looked_into_at_once(tmp_path: Path) -> None:
    """The guard has put them back; whatever else was changed is looked for."""
    async with running(tmp_path) as helper:
        await helper.connect()
        helper.router.changed = "rule gone"
        helper.firewall.told.put_nowait("the table was flushed")
        await until_async(lambda: helper.router.changed is None, 4, "looked at")


@in_loop
async def test_word_of_routes_that_went_is_looked_into_at_once(tmp_path: Path) -> None:
    """And they are set again."""
    async with running(tmp_path) as helper:
        await helper.connect()
        helper.router.changed = "route gone"
        helper.router.told.put_nowait("routes were removed")
        await until_async(lambda: helper.router.changed is None, 4, "put back before the next look")


@in_loop
async def test_a_device_that_comes_is_guarded_at_once(tmp_path: Path) -> None:
    """Each link event reaches the firewall; it doesn't wait for the next look."""
    async with running(tmp_path) as helper:
        helper.monitor.plugged.put_nowait(None)
        await until_async(lambda: helper.firewall.looked_at_links == 1, 4, "guarded")
        helper.monitor.plugged.put_nowait(None)
        await until_async(lambda: helper.firewall.looked_at_links == 2, 4, "guarded again")


@in_loop
async def test_people_are_told_when_the_next_attempt_comes(tmp_path: Path) -> None:
    """As a time, while it is waited for, and not while one is made."""
    async with running(tmp_path) as helper:
        helper.resolve.addresses = ()
        helper.resolve.fails = OSError("no answer")
        await helper.ask(Connect("lab"))
        await helper.at(Step.WAITING)
        now = helper.hub.snapshot()
        assert now.next_try is not None
        assert now.next_try > now.since
        helper.resolve.fails = None
        helper.resolve.addresses = (ip_address("192.0.2.1"),)
        await helper.at(Step.HANDSHAKE)
        assert helper.hub.snapshot().next_try is None
