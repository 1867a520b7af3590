from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from slopn_helper.diagnose import tunnel
from slopn_helper.diagnose.facts import Answer, Missing
from slopn_wire.diagnosis import Check, Verdict
from slopn_wire.events import Live, Network, PolicyKind, Stats
from slopn_wire.settings import KillSwitchMode, Settings
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
from support.diagnosis import DISCONNECTED, NOW, SNAPSHOT, facts

FINE, NOTICE, BROKEN, UNKNOWN = Verdict.FINE, Verdict.NOTICE, Verdict.BROKEN, Verdict.UNKNOWN
GONE = Missing("no netlink")


def judged(check: Check | None) -> tuple[Verdict, str]:
    """Verdict and text; whatever isn't fine says what to do, unless nobody can do anything."""
    assert check is not None
    assert check.text.endswith(".")
    return check.verdict, check.text


@pytest.mark.parametrize(
    ("now", "verdict", "part"),
    [
        ({}, FINE, "Connected through berlin. Your traffic goes through the tunnel."),
        ({"state": Disconnected(), "target": TargetState.UNSECURED, "policy": PolicyKind.OPEN}, FINE, "as you wish"),
        ({"state": Disconnected("berlin"), "target": TargetState.PAUSED}, NOTICE, "Paused"),
        ({"state": Disconnected(), "target": TargetState.SECURED}, BROKEN, "want to be connected"),
        ({"state": Connecting("berlin")}, NOTICE, "right now: resolving"),
        (
            {"state": Connecting("berlin", 3, Step.WAITING, cause=ErrorCause.HANDSHAKE), "policy": PolicyKind.BLOCKED},
            BROKEN,
            "failed 3 times: the gateway doesn't answer. Nothing leaves this computer.",
        ),
        ({"state": Disconnecting("berlin", AfterDisconnect.NOTHING)}, NOTICE, "taken down right now"),
        ({"state": Disconnecting("berlin", AfterDisconnect.BLOCK, cause=ErrorCause.HOST)}, BROKEN, "routes or DNS"),
        ({"state": ErrorState(ErrorCause.TUN_DEVICE, "berlin")}, BROKEN, "No tunnel to berlin: the network device"),
    ],
)
def test_the_state_is_told(now: dict[str, Any], verdict: Verdict, part: str) -> None:
    """What is, what that means for the traffic, and what to do if it isn't what the user wants."""
    check = tunnel.state(facts(**{f"now_{name}": value for name, value in now.items()}))
    assert judged(check)[0] is verdict
    assert part in check.text
    assert bool(check.remedy) == (verdict is BROKEN or "Paused" in check.text)


@pytest.mark.parametrize("cause", ErrorCause)
def test_every_cause_has_its_words(cause: ErrorCause) -> None:
    """None is missing in any state that has one."""
    for state in (
        ErrorState(cause, "a"),
        Connecting("a", 1, cause=cause),
        Disconnecting("a", AfterDisconnect.BLOCK, cause=cause),
    ):
        assert tunnel.state(facts(now_state=state)).remedy


@pytest.mark.parametrize(
    ("changes", "verdict", "part"),
    [
        ({}, FINE, "The kill switch is on; its rules are in force: tunnelled."),
        ({"firewall_drift": "the table is gone"}, BROKEN, "aren't those that SloPN set: the table is gone"),
        ({"firewall_drift": GONE}, UNKNOWN, "no netlink"),
        ({"now_policy": PolicyKind.UNKNOWN}, BROKEN, "refused"),
        ({"now_settings": Settings(KillSwitchMode.OFF), "now_policy": PolicyKind.OPEN}, NOTICE, "is off"),
    ],
)
def test_the_kill_switch_is_judged(changes: dict[str, Any], verdict: Verdict, part: str) -> None:
    """By what the firewall really has."""
    found, text = judged(tunnel.kill_switch(facts(**changes)))
    assert (found, part in text) == (verdict, True)


@pytest.mark.parametrize(
    ("last", "verdict", "part"),
    [
        (NOW - 5, FINE, "answered 5 s ago"),
        (NOW - 180, FINE, "answered 3 min ago"),
        (NOW - 200, NOTICE, "3 min ago. That is normal"),
        (NOW - 20_000, NOTICE, "5 h ago"),
        (NOW + 50, FINE, "answered 0 s ago"),
        (None, BROKEN, "No handshake is known"),
    ],
)
def test_the_last_handshake_is_judged(last: float | None, verdict: Verdict, part: str) -> None:
    """An old one is normal in a tunnel that nobody uses."""
    found, text = judged(tunnel.handshake(facts(now_stats=Stats(1, 1, last))))
    assert (found, part in text) == (verdict, True)


ONE, OTHER = ip_address("10.8.0.1"), ip_address("fd00::1")


@pytest.mark.parametrize(
    ("changes", "verdict", "part"),
    [
        ({}, FINE, "within 12 ms"),
        ({"answers": (Answer(ONE, None),)}, BROKEN, "No DNS server of the tunnel answers (10.8.0.1)"),
        ({"answers": (Answer(ONE, None), Answer(OTHER, 0.1))}, NOTICE, "10.8.0.1 gives no answer"),
        ({"answers": (Answer(ONE, 0.2), Answer(OTHER, 0.1))}, FINE, "within 200 ms"),
        ({"answers": ()}, UNKNOWN, "aren't inside the tunnel"),
        ({"answers": (), "now_live": Live("slopn0")}, NOTICE, "names no DNS server"),
        ({"answers": GONE}, UNKNOWN, "no netlink"),
    ],
)
def test_the_tunnels_dns_is_judged(changes: dict[str, Any], verdict: Verdict, part: str) -> None:
    """By whether it answers, and how quickly."""
    found, text = judged(tunnel.answers(facts(**changes)))
    assert (found, part in text) == (verdict, True)


@pytest.mark.parametrize(
    ("changes", "verdict", "part"),
    [
        ({}, FINE, "is as SloPN set it (rc=plain"),
        ({"snapshot": DISCONNECTED}, FINE, "changed nothing of this computer's DNS (rc=plain"),
        ({"dns_choice": GONE}, FINE, "is as SloPN set it."),
        ({"dns_drift": "/etc/resolv.conf is another program's"}, BROKEN, "another program's"),
        ({"dns_drift": GONE}, UNKNOWN, "no netlink"),
    ],
)
def test_the_hosts_dns_is_judged(changes: dict[str, Any], verdict: Verdict, part: str) -> None:
    """By whether it is as it was set, with the reason for the mechanism."""
    found, text = judged(tunnel.dns_setting(facts(**changes)))
    assert (found, part in text) == (verdict, True)


@pytest.mark.parametrize(
    ("changes", "verdict", "part"),
    [
        ({}, FINE, "as SloPN set them"),
        ({"snapshot": DISCONNECTED}, FINE, "no routes of its own"),
        ({"routes_drift": "missing: 0.0.0.0/0 in table 51820"}, BROKEN, "missing: 0.0.0.0/0"),
        ({"routes_drift": GONE}, UNKNOWN, "no netlink"),
    ],
)
def test_routes_are_judged(changes: dict[str, Any], verdict: Verdict, part: str) -> None:
    """By whether they are as they were set."""
    found, text = judged(tunnel.routes(facts(**changes)))
    assert (found, part in text) == (verdict, True)


@pytest.mark.parametrize(
    ("mtu", "path", "network", "verdict", "part"),
    [
        (1420, 1500, 1500, FINE, "1420"),
        (1280, 1300, 1500, FINE, "1280"),
        (1420, None, 1500, FINE, "1420"),
        (1420, 1400, 1500, BROKEN, "the way to the gateway takes 13"),
        (1500, None, 1500, BROKEN, "this network takes 1420"),
        (1280, None, 1300, FINE, "1280"),
    ],
)
def test_the_mtu_is_judged(mtu: int, path: int | None, network: int, verdict: Verdict, part: str) -> None:
    """By what the network takes, and by what was measured on the way."""
    live = msgspec.structs.replace(SNAPSHOT.live, mtu=mtu, path_mtu=path)
    found, text = judged(
        tunnel.mtu(facts(now_live=live, now_network=Network(online=True, interface="eth0", mtu=network)))
    )
    assert (found, part in text) == (verdict, True)


def test_there_is_nothing_to_check_without_a_tunnel() -> None:
    """Handshakes, the tunnel's DNS and its MTU."""
    now = facts(snapshot=DISCONNECTED)
    assert (tunnel.handshake(now), tunnel.answers(now), tunnel.mtu(now)) == (None, None, None)
