"""Error: blocked, tried again, left when the user says so."""

from __future__ import annotations

import pytest

from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.tunnel.backoff import delay
from slopn_helper.tunnel.effects import ApplyFirewall, ResolveEndpoints, RestoreHost, SetTimer, StopEngine
from slopn_helper.tunnel.inputs import Connect, NetworkChanged, SettingsApplied, TimerFired
from slopn_helper.tunnel.states.connecting import RESOLVE_WITHIN
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.state import AfterDisconnect, Connecting, Disconnecting, ErrorCause, ErrorState
from support.playbook import Playbook

ERROR = ErrorState(ErrorCause.HOST, "a", attempt=1)
RESOLVE = (SetTimer(RESOLVE_WITHIN), ResolveEndpoints("a"))
TEARDOWN = (SetTimer(None), RestoreHost(), StopEngine())


def test_it_is_tried_again() -> None:
    """After the back-off of the attempts so far, and the next failure waits longer."""
    Playbook(ERROR).give(TimerFired()).then(Connecting("a", 2)).expect(*RESOLVE)


def test_a_new_network_is_a_reason_to_hope() -> None:
    """The back-off starts anew; losing the network is none."""
    Playbook(ERROR).give(NetworkChanged(online=True)).then(Connecting("a")).expect(*RESOLVE)
    Playbook(ERROR).give(NetworkChanged(online=False)).then(ERROR)


def test_other_settings_may_please_the_firewall() -> None:
    """Other errors may be mended by settings that routes or DNS depend on."""
    refused = ErrorState(ErrorCause.FIREWALL, "a")
    Playbook(refused).give(SettingsApplied()).then(Connecting("a"))
    Playbook(ERROR).give(SettingsApplied()).then(ERROR)
    Playbook(ERROR).give(SettingsApplied(host=True)).then(Connecting("a"))


def test_a_bad_profile_waits_for_the_user() -> None:
    """No timer, no network mends it."""
    bad = ErrorState(ErrorCause.BAD_PROFILE, "a")
    Playbook(bad).give(NetworkChanged(online=True)).then(bad).expect()
    book = Playbook(Disconnecting("a", AfterDisconnect.BLOCK, 2, ErrorCause.BAD_PROFILE)).fail(StopEngine())
    book.then(bad).expect(SetTimer(None))


@pytest.mark.parametrize(
    ("command", "then"),
    [
        (Disconnect(), Disconnecting("a", AfterDisconnect.NOTHING)),
        (Reconnect(), Disconnecting("a", AfterDisconnect.RECONNECT)),
        (Connect("a"), Disconnecting("a", AfterDisconnect.RECONNECT)),
        (Connect("b"), Disconnecting("b", AfterDisconnect.RECONNECT)),
    ],
)
def test_the_user_leaves(command: Disconnect | Reconnect | Connect, then: Disconnecting) -> None:
    """Through a whole teardown: something may still be configured."""
    Playbook(ERROR).give(command).then(then).expect(*TEARDOWN)


def test_another_refusal_keeps_the_timer() -> None:
    """The error stands, and will be tried again."""
    book = Playbook(ERROR).fail(ApplyFirewall(Blocked()))
    book.then(ErrorState(ErrorCause.HOST, "a", blocking=False, attempt=1)).expect(SetTimer(delay(2, 0.5)))
