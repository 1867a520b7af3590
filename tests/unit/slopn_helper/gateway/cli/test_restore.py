from __future__ import annotations

from pathlib import Path

from slopn_helper.gateway import cli
from support.gateway_cli import Cli


def names(gateway: Cli) -> list[str]:
    """Of all devices."""
    return [each["name"] for each in gateway.json("device", "list")]


def test_what_was_saved_comes_back(gateway: Cli, tmp_path: Path) -> None:
    """Also where there is no database at all; who is there is replaced only with --yes."""
    saved = str(tmp_path / "saved")
    gateway.json("device", "add", "phone", "--wireguard")
    gateway.good("backup", saved)
    gateway.json("device", "add", "laptop", "--wireguard")
    status, _, err = gateway.run("restore", saved)
    assert (status, "--yes" in err) == (cli.USAGE, True)
    assert names(gateway) == ["phone", "laptop"]
    assert "1 devices" in gateway.good("restore", saved, "--yes")
    assert names(gateway) == ["phone"]
    for path in gateway.state.glob("registry.db*"):
        path.unlink()
    gateway.good("restore", saved)
    assert names(gateway) == ["phone"]


def test_what_is_no_backup_changes_nothing(gateway: Cli, tmp_path: Path) -> None:
    """One sentence."""
    gateway.json("device", "add", "phone", "--wireguard")
    (tmp_path / "other").write_bytes(b'{"slopn_registry": 1}')
    status, _, err = gateway.run("restore", str(tmp_path / "other"), "--yes")
    assert (status, err.count("\n")) == (cli.FAILED, 1)
    assert names(gateway) == ["phone"]
    assert gateway.run("restore", str(tmp_path / "missing"), "--yes")[0] == cli.FAILED
