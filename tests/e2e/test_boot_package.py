"""The Debian package in a booted system: it installs, starts, is as hardened as it says, and goes without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.boot import BootedSystem
from support.boot_lab import EARLY, HELPER, STATE
from tools.deb import PLACES, build

MOST_EXPOSED = {HELPER: 3.0, EARLY: 6.0}
"""As `systemd-analyze security` reckons it: 0 is nothing at all, 10 a service without any limit."""


@pytest.fixture(scope="module", autouse=True)
def moment() -> Iterator[None]:
    """The one that every build is of: a commit in between would be another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1750000000")
        yield


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once."""
    return build(tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def system(package: Path) -> Iterator[BootedSystem]:
    """With the package installed."""
    with BootedSystem() as booted:
        booted.install(package)
        yield booted


def test_two_builds_are_the_same(package: Path, tmp_path: Path) -> None:
    """Byte for byte, wherever and whenever it is built."""
    assert build(tmp_path).read_bytes() == package.read_bytes()


def test_it_runs_at_once_and_at_boot(system: BootedSystem) -> None:
    """The helper answers, its group is there, the setting that a strict rp_filter needs is made."""
    assert system.run(["slopn", "status"]).stdout.startswith("Not protected")
    assert system.run(f"systemctl is-enabled {HELPER} {EARLY}").stdout.split() == ["enabled"] * 2
    assert system.run("getent group slopn").stdout
    assert system.run("sysctl -n net.ipv4.conf.all.src_valid_mark").stdout == "1\n"
    assert system.run(f"stat -c %a {STATE}").stdout == "700\n"
    # Nobody has ever saved a setting: the unit costs nothing.
    assert system.run(["systemctl", "show", EARLY, "-P", "ActiveState"]).stdout == "inactive\n"


def test_the_units_are_sound_and_narrow(system: BootedSystem) -> None:
    """systemd finds nothing odd in them, and little that an intruder could use."""
    for unit in (HELPER, EARLY):
        done = system.run(["systemd-analyze", "verify", "--man=no", unit])
        assert done.stdout + done.stderr == ""
        threshold = f"--threshold={MOST_EXPOSED[unit] * 10:.0f}"
        done = system.run(["systemd-analyze", "security", "--offline=no", threshold, "--no-pager", unit], check=False)
        assert done.returncode == 0, done.stdout


def test_an_upgrade_restarts_it_and_keeps_everything(system: BootedSystem, package: Path) -> None:
    """The same package over itself; a `systemctl disable` of the administrator's stays."""
    system.run(["slopn", "settings", "set", "allow_lan", "yes"])
    system.run(["systemctl", "disable", "--quiet", EARLY])
    before = system.run(["systemctl", "show", HELPER, "-P", "MainPID"]).stdout
    system.install(package)
    assert system.run(["systemctl", "show", HELPER, "-P", "MainPID"]).stdout != before
    assert "allow_lan" in system.run(["slopn", "settings"]).stdout
    assert system.run(["systemctl", "is-enabled", EARLY], check=False).stdout == "disabled\n"
    system.run(["systemctl", "enable", "--quiet", EARLY])


def test_removal_opens_and_a_purge_leaves_nothing(system: BootedSystem) -> None:
    """Also in mode `always`: a kill switch left on by a program that is gone is what users complain of most."""
    system.run(["slopn", "settings", "set", "kill_switch", "always"])
    assert "slopn" in system.run("nft list tables").stdout
    assert "goes out directly" in system.run("dpkg --remove slopn").stdout
    assert system.run("nft list tables").stdout == ""
    assert system.run(f"ls {STATE}/settings.json").stdout
    system.run("dpkg --purge slopn")
    left = [
        path
        for path in (*PLACES.values(), "usr/lib/slopn", STATE)
        if system.run(["test", "-e", f"/{path}"], check=False).returncode == 0
    ]
    assert left == []
    assert (
        system.run("systemctl list-unit-files --no-legend '*slopn*' || find /etc/systemd -name '*slopn*'").stdout == ""
    )
