from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slopn_helper.gateway.machine import Machine, MachineError, shipped
from slopn_helper.gateway.setup import FAIL2BAN_FILES
from support.machine import Systemd, machine


def test_what_comes_with_slopn_is_found() -> None:
    """Units and Fail2Ban's files."""
    assert "ExecStart=/usr/sbin/slopn-gateway serve" in shipped("linux/units/slopn-gateway.service")
    assert all(shipped(f"fail2ban/{name}") for name in FAIL2BAN_FILES)
    with pytest.raises(MachineError, match="install SloPN again"):
        shipped("linux/units/none.service")


def test_a_refusal_of_systemd_is_one_line(tmp_path: Path) -> None:
    """With what it said."""
    made = machine(tmp_path, Systemd(("start", "x.service")))
    with pytest.raises(MachineError, match=r"`systemctl start x.service` failed: Job failed. See the journal."):
        asyncio.run(made.tell("start", "x.service"))


def test_paths_are_below_the_root(tmp_path: Path) -> None:
    """So that nothing else is touched."""
    made = machine(tmp_path)
    assert made.at("/etc/x") == tmp_path / "etc/x"
    assert not made.has_systemd
    assert made.unit_file("a.service") is None
    (tmp_path / "lib/systemd/system").mkdir(parents=True)
    (tmp_path / "lib/systemd/system/a.service").touch()
    assert made.unit_file("a.service") == tmp_path / "lib/systemd/system/a.service"
    assert Machine().at("/etc/x") == Path("/etc/x")
