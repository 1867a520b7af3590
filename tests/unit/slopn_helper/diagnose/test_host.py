from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slopn_helper.diagnose import host
from slopn_helper.diagnose.facts import Disk, Facts, Missing
from slopn_helper.host.facts import Filters, Route, Rule, System
from slopn_wire.diagnosis import Check, Verdict
from slopn_wire.events import Network, Severity, Warning  # noqa: A004 - the health list's word
from slopn_wire.logs import LogLine
from slopn_wire.settings import KillSwitchMode, Settings
from support.diagnosis import DISCONNECTED, NOW, ROUTES, RULES, facts

FINE, NOTICE, BROKEN, UNKNOWN = Verdict.FINE, Verdict.NOTICE, Verdict.BROKEN, Verdict.UNKNOWN
GONE = Missing("no netlink")
ALWAYS = Settings(KillSwitchMode.ALWAYS)
OLD = System("Debian GNU/Linux 12 (bookworm)", "6.1.0-13-amd64", kernel_keeps_tables=False)
NO_TUN = System("", "6.12", kernel_keeps_tables=True, tun="/dev/net/tun: No such file or directory")
ERRORS = (
    LogLine(1, NOW - 4000, "error", "x", "long ago"),
    LogLine(2, NOW - 10, "error", "x", "lately\nTraceback"),
    LogLine(3, NOW - 5, "warning", "x", "no error"),
)


@pytest.mark.parametrize(
    ("check", "changes", "verdict", "part"),
    [
        (host.version, {}, FINE, "SloPN's service is version"),
        (host.version, {"now_version": "0.0.1"}, NOTICE, "is version 0.0.1, and version"),
        (host.network, {}, FINE, "by eth0"),
        (host.network, {"now_network": Network(online=False)}, BROKEN, "isn't on any network"),
        (host.other_vpns, {}, FINE, "No other VPN"),
        (host.other_vpns, {"rules": (*RULES, Rule(4, 5270, 52))}, NOTICE, "Tailscale: IPv4 rule 5270 to table 52"),
        (host.other_vpns, {"routes": (*ROUTES, Route(254, "0.0.0.0/1", device="tun0"))}, NOTICE, "OpenVPN"),
        (host.other_vpns, {"filters": Filters("", ("inet mullvad",)), "snapshot": DISCONNECTED}, NOTICE, "Mullvad"),
        (host.other_vpns, {"links": GONE}, UNKNOWN, "no netlink"),
        (host.other_vpns, {"filters": GONE}, UNKNOWN, "no netlink"),
        (host.clock, {}, FINE, "2023-11-14 22:15 UTC"),
        (host.clock, {"disk": Disk(1 << 40, newest=NOW + 4000)}, BROKEN, "written after that"),
        (host.clock, {"authority": (NOW + 4000, NOW + 1e6)}, BROKEN, "set up at another time"),
        (host.clock, {"authority": (NOW - 1e6, NOW - 1)}, BROKEN, "set up at another time"),
        (host.clock, {"authority": None}, FINE, "UTC"),
        (host.clock, {"disk": GONE}, UNKNOWN, "no netlink"),
        (host.kernel, {}, FINE, "6.12.5-amd64 guards"),
        (host.kernel, {"system": OLD}, NOTICE, "6.1.0-13-amd64 can't guard"),
        (host.kernel, {"system": GONE}, UNKNOWN, "no netlink"),
        (host.tun, {}, FINE, "can be made"),
        (host.tun, {"system": NO_TUN}, BROKEN, "No such file"),
        (host.tun, {"system": GONE}, UNKNOWN, "no netlink"),
        (host.undone, {}, FINE, "2 changes"),
        (host.undone, {"undo": ()}, FINE, "Nothing of SloPN is left"),
        (host.undone, {"snapshot": DISCONNECTED}, BROKEN, "rules 151; nft-table inet slopn"),
        (
            host.undone,
            {"snapshot": DISCONNECTED, "now_settings": ALWAYS, "undo": ("nft-table inet slopn",)},
            FINE,
            "Nothing of SloPN is left",
        ),
        (host.undone, {"undo": GONE}, UNKNOWN, "no netlink"),
        (host.disk, {}, FINE, "can be written"),
        (host.disk, {"disk": Disk(3 << 20)}, NOTICE, "Only 3 MiB"),
        (host.disk, {"disk": Disk(0, "No space left on device")}, BROKEN, "No space left"),
        (host.disk, {"disk": GONE}, UNKNOWN, "no netlink"),
        (host.log, {}, FINE, "no error"),
        (host.log, {"log": ERRORS}, NOTICE, "1 errors of the last hour; the last one: lately"),
        (host.log, {"log": GONE}, UNKNOWN, "no netlink"),
    ],
)
def test_this_computer_is_judged(
    check: Callable[[Facts], Check], changes: dict[str, Any], verdict: Verdict, part: str
) -> None:
    """Each check alone; what is broken or worth knowing says what to do."""
    found = check(facts(**changes))
    assert found.verdict is verdict
    assert part in found.text
    assert bool(found.remedy) == (verdict in {NOTICE, BROKEN})


def test_each_warning_of_the_health_list_is_a_check() -> None:
    """With its own remedy; errors are broken things."""
    health = (
        Warning("clock_wrong", Severity.WARNING, "The clock is wrong.", "Set it."),
        Warning("firewall_refused", Severity.ERROR, "It refused.", "Look."),
        Warning("kill_switch_off", Severity.INFO, "It is off.", ""),
    )
    assert host.health(facts(now_health=health)) == (
        Check("health_clock_wrong", NOTICE, "The clock is wrong.", "Set it."),
        Check("health_firewall_refused", BROKEN, "It refused.", "Look."),
        Check("health_kill_switch_off", NOTICE, "It is off."),
    )
