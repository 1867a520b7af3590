"""Connected stays until something ends it."""

from __future__ import annotations

from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.tunnel.backoff import delay
from slopn_helper.tunnel.effects import (
    ApplyFirewall,
    ConfigureHost,
    ResolveEndpoints,
    RestoreHost,
    SetTimer,
    StopEngine,
)
from slopn_helper.tunnel.inputs import (
    Connect,
    EngineDown,
    HandshakeDone,
    HandshakeStale,
    NetworkChanged,
    SettingsApplied,
)
from slopn_helper.tunnel.states.connecting import OFFLINE_AGAIN_AFTER, RESOLVE_WITHIN
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.state import AfterDisconnect, Connected, Connecting, Disconnecting, ErrorCause, ErrorState, Step
from support.playbook import ENDPOINT, UPSTREAM, Playbook

STATE = Connected("a", (ENDPOINT,), "slopn0")


def test_what_changes_nothing() -> None:
    """A rekeying, another network, the same wish once more: sessions roam."""
    Playbook(STATE).give(HandshakeDone(), NetworkChanged(online=True), Connect("a")).then(STATE)


def test_a_silent_gateway() -> None:
    """Closed first, then resolved anew; interface, routes and DNS stay where they are."""
    book = Playbook(STATE).give(HandshakeStale()).expect(SetTimer(RESOLVE_WITHIN), ResolveEndpoints("a", failing=True))
    book.then(Connecting("a", 1, Step.RESOLVING, (ENDPOINT,), "slopn0", ErrorCause.STALE))
    assert isinstance(book.in_force, Blocked)
    assert book.in_force.resolvers == (UPSTREAM,)


def test_an_engine_that_died() -> None:
    """The interface is gone."""
    book = Playbook(STATE).give(EngineDown("TUN deleted"))
    book.then(Connecting("a", 1, Step.RESOLVING, (ENDPOINT,), None, ErrorCause.ENGINE))


def test_the_network_is_gone() -> None:
    """No claim of a tunnel without a network."""
    book = Playbook(STATE).give(NetworkChanged(online=False)).expect(SetTimer(OFFLINE_AGAIN_AFTER))
    book.then(Connecting("a", 0, Step.WAITING, (ENDPOINT,), "slopn0", ErrorCause.OFFLINE))


def test_the_ways_out() -> None:
    """Disconnect, reconnect, another profile."""
    teardown = (SetTimer(None), RestoreHost(), StopEngine())
    Playbook(STATE).give(Disconnect()).then(Disconnecting("a", AfterDisconnect.NOTHING)).expect(*teardown)
    Playbook(STATE).give(Reconnect()).then(Disconnecting("a", AfterDisconnect.RECONNECT)).expect(*teardown)
    Playbook(STATE).give(Connect("b")).then(Disconnecting("b", AfterDisconnect.RECONNECT)).expect(*teardown)


def test_a_refused_firewall_leaves_the_tunnel_alone() -> None:
    """Its routes may be all that keeps traffic in: an error, and nothing torn down."""
    book = Playbook(STATE).fail(ApplyFirewall(Blocked()))
    book.then(ErrorState(ErrorCause.FIREWALL, "a", blocking=False)).expect(SetTimer(delay(1, 0.5)))


def test_any_other_failure_is_undone() -> None:
    """None is expected here; one that comes must not be lost."""
    book = Playbook(STATE).fail(ConfigureHost("a", "slopn0"))
    book.then(Disconnecting("a", AfterDisconnect.BLOCK, cause=ErrorCause.HOST))


def test_other_routes_are_set_when_settings_ask_for_them() -> None:
    """A network that is left out from now on is left out now; a setting that is the policy's alone changes nothing else."""
    Playbook(STATE).give(SettingsApplied(host=True)).then(STATE).expect(ConfigureHost("a", "slopn0"))
    Playbook(STATE).give(SettingsApplied()).then(STATE).expect()
