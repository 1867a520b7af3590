"""Connecting: the way up, and every way it can fail."""

from __future__ import annotations

import msgspec
import pytest

from slopn_helper.host.firewall.policy import Blocked, Tunnelled
from slopn_helper.tunnel.backoff import delay
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import (
    ApplyFirewall,
    ConfigureHost,
    Effect,
    ResolveEndpoints,
    RestoreHost,
    SetTimer,
    StartEngine,
    StopEngine,
)
from slopn_helper.tunnel.inputs import (
    Connect,
    EffectFailed,
    EngineDown,
    EngineStarted,
    HandshakeDone,
    HandshakeStale,
    HostConfigured,
    NetworkChanged,
    Resolved,
    TimerFired,
)
from slopn_helper.tunnel.policy import policy_for
from slopn_helper.tunnel.states.connecting import HANDSHAKE_WITHIN, OFFLINE_AGAIN_AFTER, RESOLVE_WITHIN
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.profile import Endpoint
from slopn_wire.settings import Settings
from slopn_wire.state import (
    AfterDisconnect,
    Connected,
    Connecting,
    Disconnecting,
    ErrorCause,
    ErrorState,
    Step,
    TunnelState,
)
from support.playbook import ADDRESS, ENDPOINT, FACTS, RESOLVER, Playbook

RESOLVE: tuple[Effect, ...] = (SetTimer(RESOLVE_WITHIN), ResolveEndpoints("a"))
RESOLVE_FAILING: tuple[Effect, ...] = (SetTimer(RESOLVE_WITHIN), ResolveEndpoints("a", failing=True))
TEARDOWN: tuple[Effect, ...] = (SetTimer(None), RestoreHost(), StopEngine())
HANDSHAKE = Connecting("a", step=Step.HANDSHAKE, endpoints=(ENDPOINT,), interface="slopn0")


def test_the_way_up() -> None:
    """Resolve, start, shake hands, configure, let through."""
    book = Playbook().give(Connect("a"), Resolved(((ENDPOINT,),)))
    book.expect(SetTimer(HANDSHAKE_WITHIN), StartEngine("a", ((ENDPOINT,),)))
    book.firewall(Blocked(endpoints=(ENDPOINT,), addresses=(ADDRESS,)))
    book.give(EngineStarted("slopn0")).then(HANDSHAKE).expect()
    book.give(HandshakeDone()).expect(SetTimer(None), ConfigureHost("a", "slopn0"))
    book.give(HostConfigured()).then(Connected("a", (ENDPOINT,), "slopn0")).expect()
    book.firewall(
        Tunnelled(allow_lan=False, endpoints=(ENDPOINT,), interface="slopn0", addresses=(ADDRESS,), dns=(RESOLVER,))
    )


def test_no_answer_from_the_gateway() -> None:
    """Wait, longer each time, then resolve anew: the address may have changed."""
    waiting = Connecting("a", 1, Step.WAITING, (ENDPOINT,), "slopn0", ErrorCause.HANDSHAKE)
    book = Playbook(HANDSHAKE).give(TimerFired()).then(waiting).expect(SetTimer(delay(1, 0.5)))
    book.give(TimerFired()).expect(*RESOLVE_FAILING)
    book.give(Resolved(((ENDPOINT,),)), TimerFired()).expect(SetTimer(delay(2, 0.5)))


def test_all_addresses_of_all_gateways_are_let_through() -> None:
    """The engine races them, so the firewall must know them; the first of each gateway lead."""
    first, second, other = (Endpoint(f"192.0.2.{number}", 51820) for number in (1, 2, 3))
    book = Playbook().give(Connect("a"), Resolved(((first, second), (other,))))
    book.expect(SetTimer(HANDSHAKE_WITHIN), StartEngine("a", ((first, second), (other,))))
    book.then(Connecting("a", step=Step.HANDSHAKE, endpoints=(first, other, second)))


def test_a_portal_is_looked_for_while_connecting_fails_alone() -> None:
    """Not on the first attempt, not without a network, not after a change of it, not once there is an answer."""
    context = Context(FACTS, portal=(RESOLVER,))

    def asked(state: TunnelState) -> bool:
        policy = policy_for(state, Settings(), context)
        return isinstance(policy, Blocked) and policy.portal == (RESOLVER,)

    fails = Connecting("a", 1, Step.WAITING, cause=ErrorCause.HANDSHAKE)
    assert asked(fails)
    assert not asked(Connecting("a"))
    assert not asked(Connecting("a", 1, Step.WAITING, cause=ErrorCause.OFFLINE))
    assert not asked(msgspec.structs.replace(fails, attempt=0))
    assert not asked(ErrorState(ErrorCause.HANDSHAKE, "a", attempt=2))


def test_an_answer_while_waiting_is_taken() -> None:
    """The engine goes on trying; when the gateway is back there is nothing to wait for."""
    book = Playbook(HANDSHAKE).give(TimerFired(), HandshakeDone())
    book.expect(SetTimer(None), ConfigureHost("a", "slopn0"))


def test_an_answer_before_the_engine_runs_is_an_old_one() -> None:
    """An event of the tunnel before doesn't make a new one."""
    Playbook().give(Connect("a"), HandshakeDone()).then(Connecting("a"))


@pytest.mark.parametrize("failed", [EffectFailed(ResolveEndpoints("a"), "NXDOMAIN"), TimerFired()])
def test_a_name_that_cannot_be_resolved(failed: EffectFailed | TimerFired) -> None:
    """Told or timed out: wait and try again."""
    book = Playbook(Connecting("a")).give(failed)
    book.then(Connecting("a", 1, Step.WAITING, cause=ErrorCause.RESOLVE)).expect(SetTimer(delay(1, 0.5)))


def test_a_late_failure_to_resolve_is_of_no_matter() -> None:
    """The handshake is under way already."""
    Playbook(HANDSHAKE).fail(ResolveEndpoints("a")).then(HANDSHAKE)


def test_a_profile_that_cannot_work() -> None:
    """No retry mends it: undo, and say so."""
    book = Playbook(Connecting("a")).give(EffectFailed(ResolveEndpoints("a"), "no endpoint", ErrorCause.BAD_PROFILE))
    book.then(Disconnecting("a", AfterDisconnect.BLOCK, cause=ErrorCause.BAD_PROFILE)).expect(*TEARDOWN)


@pytest.mark.parametrize(
    ("effect", "cause"),
    [
        (StartEngine("a", ()), ErrorCause.TUN_DEVICE),
        (ConfigureHost("a", "slopn0"), ErrorCause.HOST),
        (RestoreHost(), ErrorCause.RESTORE),
        (SetTimer(1.0), ErrorCause.ENGINE),
    ],
)
def test_a_failed_effect_is_undone(effect: Effect, cause: ErrorCause) -> None:
    """Whatever was begun is taken back before the error is shown."""
    book = Playbook(HANDSHAKE).fail(effect)
    book.then(Disconnecting("a", AfterDisconnect.BLOCK, cause=cause)).expect(*TEARDOWN)


def test_a_refused_firewall_is_an_error_at_once() -> None:
    """Nothing was begun that would have to be undone."""
    book = Playbook(Connecting("a", 2)).fail(ApplyFirewall(Blocked()))
    book.then(ErrorState(ErrorCause.FIREWALL, "a", blocking=False, attempt=2)).expect(SetTimer(delay(3, 0.5)))


def test_the_engine_breaks_down() -> None:
    """Its interface is gone with it."""
    book = Playbook(HANDSHAKE).give(EngineDown("TUN deleted"))
    book.then(Connecting("a", 1, Step.WAITING, (ENDPOINT,), None, ErrorCause.ENGINE))


def test_no_network() -> None:
    """Wait for one; try all the same after a while, should the monitor be wrong."""
    book = Playbook(HANDSHAKE).give(NetworkChanged(online=False)).expect(SetTimer(OFFLINE_AGAIN_AFTER))
    book.then(Connecting("a", 0, Step.WAITING, (ENDPOINT,), "slopn0", ErrorCause.OFFLINE))
    book.give(TimerFired()).expect(*RESOLVE)


def test_a_new_network_resets_the_back_off() -> None:
    """Five failures on the old one say nothing of the new one."""
    waiting = Connecting("a", 5, Step.WAITING, (ENDPOINT,), "slopn0", ErrorCause.HANDSHAKE)
    book = Playbook(waiting).give(NetworkChanged(online=True)).expect(*RESOLVE)
    assert isinstance(book.state, Connecting)
    assert book.state.attempt == 0


@pytest.mark.parametrize("failed", [TimerFired(), EffectFailed(ResolveEndpoints("a"), "no way out")])
def test_no_attempt_is_burnt_without_a_network(failed: TimerFired | EffectFailed) -> None:
    """The try that is made all the same, since the monitor may be wrong, isn't counted when it fails."""
    offline = Connecting("a", 2, Step.WAITING, (ENDPOINT,), "slopn0", ErrorCause.OFFLINE)
    book = Playbook(offline).give(TimerFired()).expect(*RESOLVE)
    book.give(failed).then(offline).expect(SetTimer(OFFLINE_AGAIN_AFTER))
    book.give(NetworkChanged(online=True))
    book.then(Connecting("a", 0, endpoints=(ENDPOINT,), interface="slopn0"))


def test_the_user_can_cut_a_wait_short() -> None:
    """Connect while waiting means now."""
    waiting = Connecting("a", 5, Step.WAITING)
    Playbook(waiting).give(Connect("a")).then(Connecting("a", 0)).expect(*RESOLVE)
    Playbook(HANDSHAKE).give(Connect("a")).then(HANDSHAKE)


def test_silence_while_configuring() -> None:
    """The handshake came, and nothing after it."""
    configuring = Connecting("a", step=Step.CONFIGURING, endpoints=(ENDPOINT,), interface="slopn0")
    book = Playbook(configuring).give(HandshakeStale())
    book.then(Connecting("a", 1, Step.WAITING, (ENDPOINT,), "slopn0", ErrorCause.STALE))


def test_the_ways_out() -> None:
    """The user changes his mind."""
    Playbook(HANDSHAKE).give(Disconnect()).then(Disconnecting("a", AfterDisconnect.NOTHING)).expect(*TEARDOWN)
    Playbook(HANDSHAKE).give(Reconnect()).then(Disconnecting("a", AfterDisconnect.RECONNECT)).expect(*TEARDOWN)
    Playbook(HANDSHAKE).give(Connect("b")).then(Disconnecting("b", AfterDisconnect.RECONNECT)).expect(*TEARDOWN)
