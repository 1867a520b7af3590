"""The driver: one input at a time, effects in order, the first failure back to the core, stale answers dropped."""

from __future__ import annotations

import asyncio
import logging
from ipaddress import ip_network

import pytest

from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.tunnel import driver as module
from slopn_helper.tunnel.driver import ProfileError
from slopn_helper.tunnel.effects import ApplyFirewall, ConfigureHost, RestoreHost, StartEngine, StopEngine
from slopn_helper.tunnel.inputs import (
    Connect,
    HandshakeDone,
    HandshakeStale,
    Started,
)
from slopn_helper.tunnel.states import disconnecting
from slopn_wire.commands import Disconnect
from slopn_wire.profile import Endpoint
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, Connecting, Disconnected, Disconnecting, ErrorCause, ErrorState, Step
from support.aio import in_loop
from support.drive import Drive, driving
from support.playbook import ENDPOINT


def policies(drive: Drive) -> list[type[FirewallPolicy]]:
    """The kinds of policy, in the order in which they came in force."""
    return [type(effect.policy) for effect in drive.host.done if isinstance(effect, ApplyFirewall)]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What stands in a log of the usual level."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]


@in_loop
async def test_the_log_tells_the_story(caplog: pytest.LogCaptureFixture) -> None:
    """At the usual level: each state once, with where to and why; no line for what changes nothing."""
    caplog.set_level(logging.INFO)
    async with driving() as drive:
        await drive.connect()
        drive.driver.post(HandshakeDone())
        drive.driver.post(HandshakeStale())
        await drive.reaches(Connecting, step=Step.HANDSHAKE)
        drive.driver.post(Disconnect())
        await drive.reaches(Disconnected)
    assert told(caplog) == [
        "connecting to a: resolving",
        "connecting to a: handshake with 192.0.2.1:51820",
        "connecting to a: configuring",
        "connected to a by slopn0, 192.0.2.1:51820",
        "connecting to a: resolving (attempt 2; the tunnel went silent)",
        "connecting to a: handshake with 192.0.2.1:51820 (attempt 2; the tunnel went silent)",
        "disconnecting, then nothing",
        "disconnected",
    ]


@in_loop
async def test_up_and_down() -> None:
    """Closed first, tunnelled when all is configured, open when all is undone."""
    async with driving() as drive:
        drive.driver.post(Started(None))
        await drive.connect()
        assert isinstance(drive.last.in_force, Tunnelled)
        drive.driver.post(Disconnect())
        await drive.reaches(Disconnected)
    assert policies(drive) == [Open, Blocked, Blocked, Tunnelled, Blocked, Open]
    assert isinstance(drive.host.done[-1], ApplyFirewall)


@in_loop
async def test_only_places_of_rest_are_told() -> None:
    """Nobody hears of Connected before the policy of Connected is in force."""
    async with driving() as drive:
        await drive.connect()
    assert all(p.in_force == p.wanted for p in drive.positions)


@in_loop
async def test_the_first_failure_ends_the_list() -> None:
    """What comes after it is not begun; the core undoes what came before."""
    async with driving() as drive:
        drive.host.refuse[StartEngine] = OSError("no /dev/net/tun")
        drive.driver.post(Connect("a"))
        await drive.reaches(ErrorState)
    assert drive.last.state == ErrorState(ErrorCause.TUN_DEVICE, "a")
    assert [type(e) for e in drive.host.done] == [ApplyFirewall, ApplyFirewall, ApplyFirewall, RestoreHost, StopEngine]


@in_loop
async def test_a_refused_firewall_keeps_what_was_in_force() -> None:
    """The position says what is, and what should be."""
    async with driving() as drive:
        drive.driver.post(Started(None))
        await drive.reaches(Disconnected)
        drive.host.refuse[ApplyFirewall] = OSError("nft: no")
        drive.driver.post(Connect("a"))
        await drive.reaches(ErrorState)
    assert drive.last.state == ErrorState(ErrorCause.FIREWALL, "a", blocking=False)
    assert drive.last.in_force == Open()
    assert isinstance(drive.last.wanted, Blocked)


@in_loop
async def test_a_profile_that_cannot_work_is_told_apart() -> None:
    """`ProfileError` becomes its own cause."""

    async def no_endpoint() -> tuple[tuple[Endpoint, ...], ...]:
        raise ProfileError("no Endpoint")

    async with driving() as drive:
        drive.host.answer = no_endpoint
        drive.driver.post(Connect("a"))
        await drive.reaches(ErrorState)
    assert drive.last.state == ErrorState(ErrorCause.BAD_PROFILE, "a")


@in_loop
async def test_an_effect_that_hangs_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that never answers doesn't stop the helper."""
    monkeypatch.setattr(module, "EFFECT_WITHIN", 0.01)
    async with driving() as drive:
        drive.host.hang = ConfigureHost
        drive.driver.post(Connect("a"))
        await drive.reaches(Connecting, step=Step.HANDSHAKE)
        drive.driver.post(HandshakeDone())
        await drive.reaches(ErrorState)
    assert drive.last.state == ErrorState(ErrorCause.HOST, "a")


@in_loop
async def test_resolving_does_not_hold_up_the_user() -> None:
    """Disconnect is carried out at once, and the answer that comes after it is dropped."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slowly() -> tuple[tuple[Endpoint, ...], ...]:
        asked.set()
        try:
            await answer.wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ((ENDPOINT,),)

    cancelled = asyncio.Event()
    async with driving() as drive:
        drive.host.answer = slowly
        drive.driver.post(Connect("a"))
        await asked.wait()
        drive.driver.post(Disconnect())
        await drive.reaches(Disconnected)
        await cancelled.wait()
    assert not any(isinstance(effect, StartEngine) for effect in drive.host.done)


@in_loop
async def test_timers_fire() -> None:
    """A name that can't be resolved is asked again after the back-off, without anybody's help."""
    failures = 1

    async def once() -> tuple[tuple[Endpoint, ...], ...]:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError("no answer")
        return ((ENDPOINT,),)

    async with driving() as drive:
        drive.host.answer = once
        drive.driver.post(Connect("a"))
        await drive.reaches(Connecting, step=Step.WAITING)
        await drive.reaches(Connecting, step=Step.HANDSHAKE)
    assert isinstance(drive.last.state, Connecting)
    assert (drive.last.state.attempt, drive.last.state.cause) == (1, ErrorCause.RESOLVE)


@in_loop
async def test_a_replaced_timer_is_dropped() -> None:
    """Also when it has fired already and waits in the queue."""
    async with driving() as drive:
        drive.driver._set_timer(0.0)
        until_fired = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, until_fired.set_result, None)
        drive.driver._set_timer(None)
        await until_fired
        drive.driver.post(Started(None))
        await drive.reaches(Disconnected)
    assert len(drive.positions) == 1


@in_loop
async def test_settings_hold_from_the_next_step_on() -> None:
    """The firewall follows at once, and whoever waits for it is told when it has."""
    async with driving() as drive:
        await drive.connect()
        await drive.driver.apply_settings(Settings(kill_switch=KillSwitchMode.OFF)).wait()
        assert drive.last.in_force == Open()
    assert isinstance(drive.last.state, Connected)


@in_loop
async def test_stop_undoes_all_but_the_block() -> None:
    """Engine and host are as before; the block stands where one was wanted."""
    async with driving() as drive:
        await drive.connect()
        await drive.driver.stop()
        assert drive.last.state == ErrorState(ErrorCause.STOPPED, "a")
        assert isinstance(drive.last.in_force, Blocked)
    assert [type(effect) for effect in drive.host.done[-2:]] == [RestoreHost, StopEngine]


@in_loop
async def test_stop_ends_even_when_the_host_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal keeps what is left for the next start."""
    monkeypatch.setattr(module, "STOP_WITHIN", 0.05)
    async with driving() as drive:
        await drive.connect()
        drive.host.hang = RestoreHost
        await drive.driver.stop()
    assert isinstance(drive.host.done[-1], ApplyFirewall)


@in_loop
async def test_stop_while_disconnected() -> None:
    """Nothing to do."""
    async with driving() as drive:
        await drive.driver.stop()
        assert isinstance(drive.last.state, Disconnected)


@in_loop
async def test_stop_waits_for_a_teardown_that_needs_more_than_one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends as soon as all is undone, not only after its deadline."""
    monkeypatch.setattr(disconnecting, "AGAIN_AFTER", 0.01)
    async with driving() as drive:
        await drive.connect()
        drive.host.refuse[RestoreHost] = OSError("resolved doesn't answer")
        ending = asyncio.ensure_future(drive.driver.stop())
        await drive.reaches(Disconnecting)
        drive.host.refuse.clear()
        await asyncio.wait_for(ending, 10)
    assert drive.last.state == ErrorState(ErrorCause.STOPPED, "a", blocking=True)


@in_loop
async def test_what_of_new_settings_is_the_hosts() -> None:
    """Routes and DNS are set again for what they depend on, and for nothing else."""
    async with driving() as drive:
        await drive.connect()
        drive.host.done.clear()
        await drive.driver.apply_settings(Settings(portal_url="")).wait()
        assert drive.host.done == []
        await drive.driver.apply_settings(Settings(exclude=(ip_network("192.0.2.0/24"),))).wait()
        assert [type(effect) for effect in drive.host.done] == [ConfigureHost, ApplyFirewall]
