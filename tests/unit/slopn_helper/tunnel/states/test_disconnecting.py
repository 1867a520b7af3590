"""Disconnecting goes on until all is undone, or was tried often enough."""

from __future__ import annotations

import pytest

from slopn_helper.host.firewall.policy import Blocked, Open
from slopn_helper.tunnel.effects import ApplyFirewall, ResolveEndpoints, RestoreHost, SetTimer, StopEngine
from slopn_helper.tunnel.inputs import Connect, EngineStopped, HandshakeDone, TimerFired
from slopn_helper.tunnel.states.connecting import RESOLVE_WITHIN
from slopn_helper.tunnel.states.disconnecting import AGAIN_AFTER, TRIES
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.state import AfterDisconnect, Connecting, Disconnected, Disconnecting, ErrorCause, ErrorState
from support.playbook import Playbook

TEARDOWN = (RestoreHost(), StopEngine())


def leaving(then: AfterDisconnect = AfterDisconnect.NOTHING, cause: ErrorCause | None = None) -> Playbook:
    """On the way down."""
    return Playbook(Disconnecting("a", then, cause=cause))


def test_to_nothing() -> None:
    """Open, when the engine has ended."""
    leaving().give(EngineStopped()).then(Disconnected()).expect(SetTimer(None)).firewall(Open())


def test_to_the_next_connection() -> None:
    """Closed all the way."""
    book = leaving(AfterDisconnect.RECONNECT).give(EngineStopped()).then(Connecting("a"))
    book.expect(SetTimer(RESOLVE_WITHIN), ResolveEndpoints("a"))
    assert isinstance(book.in_force, Blocked)


def test_to_an_error() -> None:
    """The cause is what began the teardown."""
    book = leaving(AfterDisconnect.BLOCK, ErrorCause.HOST).give(EngineStopped())
    book.then(ErrorState(ErrorCause.HOST, "a", blocking=True))


def test_the_user_decides_where_it_leads() -> None:
    """The last word counts."""
    book = leaving(AfterDisconnect.BLOCK, ErrorCause.HOST).give(Connect("b"))
    book.then(Disconnecting("b", AfterDisconnect.RECONNECT))
    book.give(Reconnect()).then(Disconnecting("b", AfterDisconnect.RECONNECT))
    book.give(Disconnect()).then(Disconnecting("b", AfterDisconnect.NOTHING)).expect()


@pytest.mark.parametrize("effect", TEARDOWN)
def test_a_failed_half_is_tried_again(effect: RestoreHost | StopEngine) -> None:
    """After a moment, both halves: each is idempotent."""
    book = leaving().fail(effect).then(Disconnecting("a", AfterDisconnect.NOTHING, 1)).expect(SetTimer(AGAIN_AFTER))
    book.give(TimerFired()).expect(*TEARDOWN)


def test_the_engine_ends_even_if_the_host_cannot_be_restored() -> None:
    """What is left stands in the journal and in the health list."""
    book = leaving()
    for _ in range(TRIES):
        book.fail(RestoreHost())
    book.expect(StopEngine()).give(EngineStopped()).then(Disconnected())


def test_an_engine_that_will_not_end() -> None:
    """The user gets his host back all the same."""
    book = leaving()
    for _ in range(TRIES):
        book.fail(StopEngine())
    book.then(Disconnected())


def test_a_refused_block_does_not_stop_the_teardown() -> None:
    """It goes on under the policy that is in force."""
    leaving().fail(ApplyFirewall(Blocked())).expect(*TEARDOWN)


def test_a_refused_timer_does_not_stop_the_teardown() -> None:
    """Then at once."""
    leaving().fail(SetTimer(1.0)).expect(*TEARDOWN)


def test_late_answers_mean_nothing() -> None:
    """The handshake of the tunnel that ends."""
    leaving().give(HandshakeDone()).then(Disconnecting("a", AfterDisconnect.NOTHING)).expect()
