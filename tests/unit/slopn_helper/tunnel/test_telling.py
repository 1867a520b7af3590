"""What the log says of a state."""

from __future__ import annotations

import pytest

from slopn_helper.host.firewall.policy import Open
from slopn_helper.tunnel.effects import ApplyFirewall, StopEngine
from slopn_helper.tunnel.telling import name, told
from slopn_wire.profile import Endpoint
from slopn_wire.state import (
    AfterDisconnect,
    Connected,
    Connecting,
    Disconnected,
    Disconnecting,
    ErrorCause,
    ErrorState,
    Step,
    TunnelState,
)

AT = (Endpoint("192.0.2.1", 51820),)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (Disconnected(), ["disconnected"]),
        (Disconnected(resume="berlin"), ["paused", "berlin"]),
        (Connecting("berlin"), ["berlin", "resolving"]),
        (Connecting("berlin", 2, Step.HANDSHAKE, AT, cause=ErrorCause.STALE), ["192.0.2.1", "attempt 3"]),
        (Connected("berlin", AT, "slopn0"), ["berlin", "slopn0", "192.0.2.1"]),
        (Disconnecting("berlin", AfterDisconnect.RECONNECT), ["reconnect berlin"]),
        (ErrorState(ErrorCause.HOST, "berlin", blocking=False), ["berlin", "not held back"]),
        (ErrorState(ErrorCause.HOST, "berlin"), ["is held back"]),
    ],
)
def test_a_state_is_told_with_what_matters(state: TunnelState, words: list[str]) -> None:
    """Its profile, where to, why, and whether traffic is held back."""
    assert all(word in told(state) for word in words), told(state)


def test_effects_are_named_and_policies_with_them() -> None:
    """An endpoint's address isn't."""
    assert [name(StopEngine()), name(ApplyFirewall(Open()))] == ["StopEngine", "ApplyFirewall(Open)"]
