from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway import names, setup
from slopn_helper.gateway.installed import Installed
from slopn_helper.gateway.machine import Machine, shipped
from slopn_helper.gateway.setup import SERVICE, Step
from slopn_wire.profile import IPNetwork
from support.machine import Systemd, machine
from tools.console import ROOT

POOLS: list[IPNetwork] = [ip_network("100.80.0.0/20")]
JAIL = "etc/fail2ban/jail.d/slopn.conf"
MOST_EXPOSED = {SERVICE: 2.6, names.UNIT: 1.7}
"""As `systemd-analyze security` reckons it: 0 is nothing at all, 10 a service without any limit."""


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Nothing yet."""
    return Installed(tmp_path / "state/installed.json")


def taken(steps: AsyncIterator[Step]) -> list[Step]:
    """All steps."""

    async def main() -> list[Step]:
        return [step async for step in steps]

    return asyncio.run(main())


def everything(made: Machine, installed: Installed) -> list[Step]:
    """As `init` does it."""
    return [
        *taken(setup.name_server(made, installed, POOLS, own=True)),
        *taken(setup.fail2ban(made, installed)),
        *taken(setup.service(made, installed, restart=False)),
    ]


def files(root: Path) -> dict[str, str]:
    """Below /etc."""
    return {path.relative_to(root).as_posix(): path.read_text() for path in (root / "etc").rglob("*") if path.is_file()}


def test_a_machine_becomes_a_gateway_once(tmp_path: Path, installed: Installed) -> None:
    """A second time nothing is written and nothing is told; removal leaves nothing of ours."""
    systemd = Systemd()
    made = machine(tmp_path, systemd, fail2ban=True)
    systemd.active.add("fail2ban.service")
    assert all(step.good for step in everything(made, installed))
    first = files(tmp_path)
    assert set(first) == {
        "etc/unbound/slopn-gateway.conf",
        *(f"etc/fail2ban/{name}" for name in setup.FAIL2BAN_FILES),
        f"etc/systemd/system/{SERVICE}",
        f"etc/systemd/system/{names.UNIT}",
    }
    assert systemd.active == {"fail2ban.service", SERVICE, names.UNIT}
    assert systemd.enabled == {SERVICE, names.UNIT}
    told = list(systemd.told)
    assert ("reload", "fail2ban.service") in told
    assert not any(step.changed for step in everything(made, installed))
    assert (files(tmp_path), systemd.told) == (first, told)
    assert {step.changed for step in taken(setup.stop(made))} == {True}
    assert systemd.enabled == set()
    taken(setup.remove(made, installed))
    assert files(tmp_path) == {}
    assert taken(setup.stop(made)) == taken(setup.remove(made, installed)) == []


def test_other_pools_restart_the_name_server_alone(tmp_path: Path, installed: Installed) -> None:
    """Its settings are ours, and as we left them."""
    systemd = Systemd()
    made = machine(tmp_path, systemd)
    everything(made, installed)
    systemd.told.clear()
    taken(setup.name_server(made, installed, [ip_network("10.0.0.0/24")], own=True))
    assert systemd.told == [("restart", names.UNIT)]
    assert "10.0.0.1" in files(tmp_path)["etc/unbound/slopn-gateway.conf"]


def test_other_resolvers_end_the_name_server(tmp_path: Path, installed: Installed) -> None:
    """Where there was none, nothing is said."""
    systemd = Systemd()
    made = machine(tmp_path, systemd)
    assert taken(setup.name_server(made, installed, POOLS, own=False)) == []
    everything(made, installed)
    (step,) = taken(setup.name_server(made, installed, POOLS, own=False))
    assert step.changed
    assert names.UNIT not in systemd.active
    assert "etc/unbound/slopn-gateway.conf" not in files(tmp_path)


def test_an_administrators_own_files_stay(tmp_path: Path, installed: Installed) -> None:
    """And he is told so."""
    made = machine(tmp_path, Systemd(), fail2ban=True)
    for name in (JAIL, "etc/unbound/slopn-gateway.conf"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("mine\n")
    steps = everything(made, installed)
    assert sum("it stays" in step.sentence and not step.good for step in steps) == 2
    assert files(tmp_path)[JAIL] == files(tmp_path)["etc/unbound/slopn-gateway.conf"] == "mine\n"


def test_a_jail_that_fail2ban_does_not_take_is_away_again(tmp_path: Path, installed: Installed) -> None:
    """Its other jails are the administrator's."""
    systemd = Systemd(("reload", "fail2ban.service"))
    systemd.active.add("fail2ban.service")
    made = machine(tmp_path, systemd, fail2ban=True)
    steps = taken(setup.fail2ban(made, installed))
    assert not steps[-1].good
    assert JAIL not in files(tmp_path)


def test_a_registry_elsewhere_may_be_written(tmp_path: Path, installed: Installed) -> None:
    """By a drop-in, which goes when the registry comes home."""
    systemd = Systemd()
    made = machine(tmp_path, systemd)
    away = Path("/srv/registry")
    for expected in (True, False):
        steps = taken(setup.service(made, installed, restart=False, registry=away))
        assert any(step.changed for step in steps) is expected
    drop_in = f"etc/systemd/system/{SERVICE}.d/registry.conf"
    assert f"[Service]\nReadWritePaths={away}\n" in files(tmp_path)[drop_in]
    systemd.told.clear()
    taken(setup.service(made, installed, restart=False))
    assert drop_in not in files(tmp_path)
    assert systemd.told == [("daemon-reload",), ("restart", SERVICE)]


def test_without_systemd_it_says_what_to_start(tmp_path: Path, installed: Installed) -> None:
    """No unit is written that nobody reads."""
    steps = everything(machine(tmp_path), installed)
    told = " ".join(step.sentence for step in steps if not step.good)
    assert "slopn-gateway serve" in told
    assert "unbound -c" in told
    assert set(files(tmp_path)) == {"etc/unbound/slopn-gateway.conf"}


def test_a_packages_unit_is_taken_as_it_is(tmp_path: Path, installed: Installed) -> None:
    """What dpkg owns isn't hidden by a file of ours."""
    systemd = Systemd()
    made = machine(tmp_path, systemd)
    folder = tmp_path / "usr/lib/systemd/system"
    folder.mkdir(parents=True)
    for unit in (SERVICE, names.UNIT):
        (folder / unit).touch()
    everything(made, installed)
    assert set(files(tmp_path)) == {"etc/unbound/slopn-gateway.conf"}
    assert systemd.active == {SERVICE, names.UNIT}


def test_a_unit_starts_the_program_that_has_written_it() -> None:
    """Below a home folder, which it would otherwise not see."""
    text = shipped(f"linux/units/{SERVICE}")
    venv = Path("/opt/slopn/bin")
    assert "ExecStart=/opt/slopn/bin/slopn-gateway serve\n" in setup.unit_text(text, f"{venv}/slopn-gateway", venv)
    assert "ProtectHome=yes" in setup.unit_text(text, f"{venv}/slopn-gateway", venv)
    home = Path("/home") / "bob/venv/bin"
    assert "ProtectHome=read-only" in setup.unit_text(text, f"{home}/slopn-gateway", home)
    other = shipped(f"linux/units/{names.UNIT}")
    assert setup.unit_text(other, f"{home}/slopn-gateway", home) == other


@pytest.mark.parametrize("unit", [SERVICE, names.UNIT])
def test_the_units_are_sound_and_narrow(tmp_path: Path, unit: str) -> None:
    """systemd finds nothing odd in them, and little that an intruder could use."""
    path = shutil.copy(ROOT / "installers/linux/units" / unit, tmp_path)
    text = (
        Path(path).read_text().replace("/usr/sbin/slopn-gateway", "/bin/true").replace("/usr/sbin/unbound", "/bin/true")
    )
    Path(path).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False)
    odd = [line for line in (done.stdout + done.stderr).splitlines() if unit in line]
    assert odd == []
    threshold = f"--threshold={MOST_EXPOSED[unit] * 10:.0f}"
    argv = ["systemd-analyze", "security", "--offline=true", threshold, "--no-pager", path]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
