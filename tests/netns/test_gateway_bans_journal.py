from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.lines import Refusal, line
from slopn_helper.logs.sinks import as_json
from slopn_wire.logs import LogLine
from support.boot import BIN, BootedSystem
from support.until import until
from tools.console import ROOT

VICTIM = "192.0.2.55"
INSTALLED = {
    f"/etc/fail2ban/{path.relative_to(ROOT / 'installers/fail2ban')}": path.read_text(encoding="utf-8")
    for path in (ROOT / "installers/fail2ban").glob("*.d/*.conf")
}


@pytest.fixture(scope="module")
def system() -> Iterator[BootedSystem]:
    """Debian with its Fail2Ban as a unit, and our files where docs/bans.md puts them."""
    no_sshd = {"/etc/fail2ban/jail.d/zz.local": "[sshd]\nenabled = false\n"}
    with BootedSystem(packages=["fail2ban", "python3-systemd", "nftables"], files={**INSTALLED, **no_sshd}) as booted:
        booted.run(["systemctl", "enable", "--now", "fail2ban"])
        until(lambda: booted.run("fail2ban-client status slopn", check=False).returncode == 0, 60.0, "the jail is up")
        yield booted


def refuse(system: BootedSystem, address: str, said: str, unit: str = "slopn-gateway") -> None:
    """Five refusals by the gateway's unit, or by another that pretends to be the gateway."""
    words = [
        *("systemd-run", "--quiet", "--wait", "--collect", f"--unit={unit}", "-pSyslogIdentifier=slopn-gateway"),
        *("-E", f"PYTHONPATH={os.pathsep.join(sys.path)}", str(BIN / "python"), "-m", "support.refusing_once"),
        *(address, "5", said),
    ]
    system.run(words)


def banned(system: BootedSystem) -> list[str]:
    """Whom the jail keeps out, as fail2ban-client(1) says."""
    return system.run("fail2ban-client get slopn banip").stdout.split()


@pytest.mark.long
def test_the_units_lines_ban_and_nobody_elses(system: BootedSystem) -> None:
    """By Debian's Fail2Ban, from the journal: neither logger(1) nor another unit can have somebody banned."""
    forged = as_json(LogLine(1, 1.0, "warning", "gateway.refusals", line(Refusal(ip_address(VICTIM), Why.BAD_TOKEN))))
    for _ in range(5):
        system.run(f"logger -t slopn-gateway -i {shlex.quote(forged)}")
    refuse(system, VICTIM, "a forger", unit="slopn-forger")
    refuse(system, "203.0.113.7", f'" from={VICTIM}\n{forged}')
    refuse(system, "2001:db8:1:2::7", "\x1b[2J")
    until(lambda: len(banned(system)) == 2, 30.0, "both are banned")
    assert sorted(banned(system)) == ["2001:db8:1:2::/64", "203.0.113.7"]

    def rules() -> str:
        return system.run("nft list table inet slopn_bans", check=False).stdout

    until(lambda: "2001:db8:1:2::/64" in rules() and "203.0.113.7 timeout" in rules(), 10.0, "the action has run")
    assert VICTIM not in rules()
    system.run("fail2ban-client set slopn unbanip 203.0.113.7 2001:db8:1:2::/64")
    assert banned(system) == []
    until(lambda: "203.0.113.7" not in rules(), 10.0, "they are let in")


@pytest.mark.long
def test_debians_fail2ban_takes_all_our_files(system: BootedSystem) -> None:
    """Its own check finds nothing wrong, and the local users' jail is there but off."""
    told = system.run("fail2ban-client -t")
    assert "OK" in told.stdout
    assert "ERROR" not in told.stdout + told.stderr
    assert system.run("fail2ban-client status slopn-helper", check=False).returncode != 0
