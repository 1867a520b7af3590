from __future__ import annotations

import json
import stat
from pathlib import Path

from slopn_helper.gateway import cli
from support.gateway_cli import Cli


def test_a_backup_is_its_owners_and_recorded(gateway: Cli, tmp_path: Path) -> None:
    """It names what else must be kept."""
    gateway.json("device", "add", "phone", "--wireguard")
    out = gateway.good("backup", str(tmp_path / "saved"))
    assert str(gateway.config_file) in out
    assert stat.S_IMODE((tmp_path / "saved").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "saved").read_bytes())["slopn_registry"] == 1
    assert gateway.audit()[-1]["what"] == "backup"


def test_a_file_that_cannot_be_written_is_a_sentence(gateway: Cli, tmp_path: Path) -> None:
    """And recorded as what failed."""
    status, _, err = gateway.run("backup", str(tmp_path / "none/saved"))
    assert (status, err.count("\n")) == (cli.FAILED, 1)
    assert gateway.audit()[-1]["outcome"] == "failed"
