"""The health list says what is wrong, gravest first, and nothing else."""

from __future__ import annotations

import pytest

from slopn_helper.health import REGISTRY, Facts, warning, warnings
from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open
from slopn_wire.events import Severity, Warning  # noqa: A004 - the health list's word
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, Connecting, Disconnected, ErrorCause, ErrorState, TunnelState

ON, OFF = Settings(), Settings(kill_switch=KillSwitchMode.OFF)
DAMAGED = Warning("profile_damaged", Severity.ERROR, "A stored profile was damaged.")


def test_nothing_is_wrong() -> None:
    """An empty list."""
    assert warnings(Facts(Disconnected(), ON, Open(), Open())) == ()


@pytest.mark.parametrize(
    ("in_force", "wanted", "says"),
    [
        (Blocked(), Open(), "stays blocked"),
        (Blocked(), Blocked(allow_lan=True), "stays blocked"),
        (Open(), Blocked(), "not held back"),
        (None, Blocked(), "not held back"),
        (None, Open(), "left behind"),
    ],
)
def test_a_refused_firewall(in_force: FirewallPolicy | None, wanted: FirewallPolicy, says: str) -> None:
    """The sentence says what it means for the traffic."""
    (found,) = warnings(Facts(Disconnected(), ON, in_force, wanted))
    assert (found.code, found.severity) == ("firewall_refused", Severity.ERROR)
    assert says in found.text


def test_a_damaged_journal() -> None:
    """What was found is repeated, with what it means."""
    found = warning("journal_damaged", what="journal:1: this inverse can't be read")
    assert (found.code, found.severity) == ("journal_damaged", Severity.WARNING)
    assert found.text == "journal:1: this inverse can't be read."
    assert "Compare" in found.remedy


@pytest.mark.parametrize("code", REGISTRY)
def test_every_warning_is_for_people(code: str) -> None:
    """Whole sentences, and something to do about it."""
    kind = REGISTRY[code]
    assert kind.text.endswith((".", "}"))
    assert kind.remedy.endswith(".")
    assert code == code.lower()


def test_what_gets_past_the_kill_switch() -> None:
    """Said for as long as it is so."""
    (found,) = warnings(Facts(Disconnected(), ON, Blocked(), Blocked(), unguarded="the kernel has no egress hook"))
    assert found.code == "packet_sockets"
    assert "no egress hook." in found.text


def test_what_could_not_be_put_back() -> None:
    """Named, with the way out."""
    (found,) = warnings(Facts(Disconnected(), ON, Open(), Open(), unrestored=("dns: bus gone",)))
    assert found.code == "restore_incomplete"
    assert "dns: bus gone" in found.text
    assert "slopn-helper restore" in found.remedy


def test_a_tunnel_without_a_kill_switch() -> None:
    """Said while connected, and only then."""
    state = Connected("a", (), "slopn0")
    assert [w.code for w in warnings(Facts(state, OFF, Open(), Open()))] == ["kill_switch_off"]
    assert warnings(Facts(Disconnected(), OFF, Open(), Open())) == ()


def test_the_gravest_comes_first() -> None:
    """Errors, warnings, hints."""
    state = Connected("a", (), "slopn0")
    found = warnings(Facts(state, OFF, Open(), Open(), unrestored=("x",), stored=(DAMAGED,)))
    assert [w.severity for w in found] == [Severity.ERROR, Severity.WARNING, Severity.INFO]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (ErrorState(ErrorCause.OVERLAP, "a"), True),
        (Connecting("a", 1, cause=ErrorCause.RESOLVE), True),
        (Connected("a", (), "slopn0"), False),
        (Disconnected(), False),
    ],
)
def test_what_exactly_failed_is_told(state: TunnelState, *, told: bool) -> None:
    """For as long as there is no tunnel because of it: the cause alone names nothing of this host's."""
    found = warnings(Facts(state, ON, Blocked(), Blocked(), why="10.0.0.0/24 is eth0's, too."))
    assert ([one.text for one in found] == ["No tunnel comes up: 10.0.0.0/24 is eth0's, too."]) is told
