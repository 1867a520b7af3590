from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from slopn_app.cli.documents import SnapshotDoc
from slopn_app.cli.output import dressed
from slopn_app.cli.report import address, colour, headline, lines, status
from slopn_wire import events
from slopn_wire.codec import encode
from slopn_wire.events import PolicyKind, Severity, Snapshot
from slopn_wire.profile import Endpoint
from slopn_wire.state import (
    AfterDisconnect,
    Connecting,
    Disconnected,
    Disconnecting,
    ErrorCause,
    ErrorState,
    Step,
    TargetState,
)
from support.samples import CONNECTED, DISCONNECTED
from support.wire import values

KEYS = [
    "state",
    "attempt",
    "cause",
    "blocking",
    "profile",
    "endpoint",
    "interface",
    "addresses",
    "dns",
    "since",
    "paused_until",
    "next_try",
    "rx_bytes",
    "tx_bytes",
    "last_handshake",
    "path_mtu",
    "gateway",
    "post_quantum",
    "post_quantum_since",
    "kill_switch",
    "policy",
    "network",
    "warnings",
    "seq",
]
NOW = 1_700_000_160.0


def doc(snapshot: Snapshot) -> SnapshotDoc:
    """As the command line gets it."""
    return cast("SnapshotDoc", json.loads(encode(snapshot)))


def plain(shown: list[Any]) -> list[str]:
    """As a pipe gets them."""
    return [dressed(line, coloured=False) for line in shown]


@settings(max_examples=60)
@given(values(Snapshot))
def test_any_snapshot_has_a_status_and_lines(snapshot: Snapshot) -> None:
    """The keys are those that scripts rely on, in their order; no state makes the human form fail."""
    found = doc(snapshot)
    assert list(status(found)) == KEYS
    for live in (False, True):
        shown = lines(found, NOW, live=live, rates="↓ 1.0 KB/s")
        assert len(shown) >= 4
        assert all(dressed(line, coloured=True) for line in shown)


def test_a_gateway_that_moved() -> None:
    """Where it is now counts, while connected."""
    stats = replace(CONNECTED.stats, endpoint=Endpoint("2001:db8::7", 7))
    assert status(doc(replace(CONNECTED, stats=stats)))["endpoint"] == "[2001:db8::7]:7"
    connecting = Connecting("berlin", endpoints=(Endpoint("192.0.2.1", 5),))
    assert status(doc(replace(CONNECTED, stats=stats, state=connecting)))["endpoint"] == "192.0.2.1:5"


def test_connected() -> None:
    """Every value of the document, for a tunnel that is up."""
    assert status(doc(CONNECTED)) == {
        "state": "connected",
        "attempt": 0,
        "cause": None,
        "blocking": False,
        "profile": "berlin",
        "endpoint": "203.0.113.5:51820",
        "interface": "slopn0",
        "addresses": ["10.8.0.2/32", "fd00::2/128"],
        "dns": ["10.8.0.1"],
        "since": 1_700_000_000.0,
        "paused_until": None,
        "next_try": None,
        "rx_bytes": 12_345_678,
        "tx_bytes": 987_654,
        "last_handshake": 1_700_000_100.0,
        "path_mtu": 1420,
        "gateway": None,
        "post_quantum": None,
        "post_quantum_since": None,
        "kill_switch": "on",
        "policy": "tunnelled",
        "network": {"online": True, "interface": "eth0", "mtu": 1500, "ssid": None, "metered": False},
        "warnings": [],
        "seq": 7,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"state": "disconnected", "profile": None, "endpoint": None, "interface": None, "blocking": False}),
        ({"policy": PolicyKind.BLOCKED}, {"state": "disconnected", "blocking": True, "policy": "blocked"}),
        (
            {"state": Connecting("berlin", 2, Step.WAITING, cause=ErrorCause.STALE), "policy": PolicyKind.BLOCKED},
            {"state": "connecting", "attempt": 2, "cause": "stale", "blocking": True, "endpoint": None},
        ),
        (
            {"state": Connecting("berlin", endpoints=(Endpoint("2001:db8::1", 9),))},
            {"endpoint": "[2001:db8::1]:9", "attempt": 0, "cause": None},
        ),
        (
            {"state": ErrorState(ErrorCause.FIREWALL, "berlin", blocking=False, attempt=4), "policy": PolicyKind.OPEN},
            {"state": "error", "cause": "firewall", "blocking": False, "attempt": 4, "profile": "berlin"},
        ),
        (
            {"state": ErrorState(ErrorCause.FIREWALL, "berlin", blocking=False), "policy": PolicyKind.BLOCKED},
            {"blocking": False},
        ),
        (
            {"state": ErrorState(ErrorCause.OFFLINE, "berlin"), "policy": PolicyKind.BLOCKED},
            {"blocking": True},
        ),
        (
            {"state": ErrorState(ErrorCause.OFFLINE, "berlin"), "policy": PolicyKind.UNKNOWN},
            {"blocking": False, "policy": "unknown"},
        ),
        (
            {"state": Disconnecting("berlin", AfterDisconnect.BLOCK, 1, ErrorCause.HOST)},
            {"state": "disconnecting", "attempt": 1, "cause": "host", "profile": "berlin"},
        ),
        (
            {"health": (events.Warning("clock", Severity.WARNING, "The clock is wrong.", "Set it."),)},
            {
                "warnings": [
                    {
                        "code": "clock",
                        "severity": "warning",
                        "text": "The clock is wrong.",
                        "remedy": "Set it.",
                        "args": {},
                    }
                ]
            },
        ),
        (
            {"target": TargetState.PAUSED, "paused_until": 1_700_000_460.0, "state": Disconnected("berlin")},
            {"state": "disconnected", "paused_until": 1_700_000_460.0, "profile": None},
        ),
    ],
)
def test_status_by_state(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """`blocking` is claimed only when state and policy both say so."""
    found = status(doc(replace(DISCONNECTED, **changes)))
    assert {key: found[key] for key in expected} == expected  # type: ignore[literal-required]


def test_lines_of_a_tunnel() -> None:
    """Headline first, then where, since when and how much."""
    title, line, *facts = plain(lines(doc(CONNECTED), NOW))
    assert title == "Protected through berlin"
    assert line.startswith("  203.0.113.5:51820 · since ")
    assert line.endswith(" · path MTU 1420")
    assert facts == [
        "  interface       slopn0, 10.8.0.2/32, fd00::2/128",
        "  DNS             10.8.0.1",
        "  last handshake  60 s ago",
        "  received, sent  12.3 MB, 988 KB",
        "  MTU             1420, the path carries 1420",
        "  kill switch     on",
        "  network         online through eth0",
    ]


def test_lines_without_a_tunnel() -> None:
    """Only what is true of the host."""
    assert plain(lines(doc(DISCONNECTED), NOW)) == [
        "Not protected",
        "  Your traffic goes out directly.",
        "  kill switch  on",
        "  network      online",
    ]


def test_a_warning_is_shown_and_an_information_does_not_lead() -> None:
    """A problem takes the headline; what is merely good to know stays below."""
    health = (
        events.Warning("a", Severity.INFO, "Good to know."),
        events.Warning("b", Severity.ERROR, "Your DNS leaks.", "Reconnect."),
    )
    assert headline(doc(replace(CONNECTED, health=health)), NOW) == ("Protected, with a problem", "Your DNS leaks.")
    assert plain(lines(doc(replace(CONNECTED, health=health)), NOW))[-3:] == [
        "  Info: Good to know.",
        "  Error: Your DNS leaks.",
        "    Reconnect.",
    ]
    assert headline(doc(replace(CONNECTED, health=health[:1])), NOW)[0] == "Protected through berlin"


def test_addresses_are_written_as_wg_does() -> None:
    """An IPv6 address stands in brackets."""
    assert address({"host": "2001:db8::1", "port": 9}) == "[2001:db8::1]:9"
    assert address({"host": "vpn.example.org", "port": 9}) == "vpn.example.org:9"


def test_a_pause_counts_down() -> None:
    """What is left leads; what traffic does meanwhile stands below, by the policy."""
    pausing = replace(
        DISCONNECTED, target=TargetState.PAUSED, paused_until=NOW + 299.4, state=Disconnected(resume="berlin")
    )
    assert headline(doc(pausing), NOW)[0] == "Paused for 4:59"
    assert headline(doc(pausing), NOW)[1].startswith("Your traffic goes out directly.")
    blocked = replace(pausing, policy=PolicyKind.BLOCKED)
    assert headline(doc(blocked), NOW)[1].startswith("Nothing leaves this computer.")
    assert headline(doc(replace(pausing, state=Disconnecting("berlin", AfterDisconnect.PAUSE))), NOW)[0] == "Pausing…"


def test_who_looks_on_sees_seconds_and_hints() -> None:
    """A step that takes long says what is likely wrong; once it has failed, at once. A glance shows no seconds."""
    trying = replace(CONNECTED, state=Connecting("berlin", step=Step.HANDSHAKE), since=NOW - 3)
    assert " · 3 s · " in headline(doc(trying), NOW, live=True)[1]
    assert " s · " not in headline(doc(trying), NOW)[1]
    assert "both keys" not in "".join(plain(lines(doc(trying), NOW)))
    long = replace(trying, since=NOW - 11)
    assert "both keys" in plain(lines(doc(long), NOW))[2]
    failed = replace(trying, state=Connecting("berlin", 1, Step.WAITING, cause=ErrorCause.OFFLINE))
    assert plain(lines(doc(failed), NOW))[2].startswith("  Join a network")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "good"),
        ({"health": (events.Warning("x", Severity.WARNING, "x"),)}, "attention"),
        ({"health": (events.Warning("x", Severity.INFO, "x"),)}, "good"),
        ({"policy": PolicyKind.OPEN}, "attention"),
        ({"state": Disconnected(), "policy": PolicyKind.OPEN, "target": TargetState.UNSECURED}, "bad"),
        ({"state": Disconnected(), "policy": PolicyKind.OPEN, "target": TargetState.PAUSED}, "attention"),
        ({"state": Disconnected(), "policy": PolicyKind.BLOCKED, "target": TargetState.UNSECURED}, "attention"),
        ({"state": Connecting("berlin"), "policy": PolicyKind.BLOCKED}, "attention"),
        ({"state": ErrorState(ErrorCause.ENGINE, "berlin"), "policy": PolicyKind.BLOCKED}, "bad"),
    ],
)
def test_green_is_for_protected_alone(changes: dict[str, Any], expected: str) -> None:
    """Green, amber, red: protected; on the way, paused or with a problem; exposed or stopped by an error."""
    assert colour(doc(replace(CONNECTED, **changes))) == expected
