"""Two servers that `init` has set up on one PostgreSQL: the same networks, the same devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.gateway_cli import Cli


def test_a_second_server_joins_the_first(postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From an empty database on; each has a key and a certificate of its own."""
    one, other = Cli(tmp_path / "a", capsys), Cli(tmp_path / "b", capsys)
    for gateway, host in ((one, "a.example.org"), (other, "b.example.org")):
        gateway.good("init", "--endpoint", host, "--database", postgres_url, "--no-start")
    assert other.config.pools == one.config.pools
    made = one.json("device", "add", "phone", "--wireguard")
    assert [each["id"] for each in other.json("device", "list")] == [made["id"]]
    for name in ("wireguard.key", "certificate/certificate.pem"):
        assert (one.state / name).read_bytes() != (other.state / name).read_bytes()
    assert "nothing was changed" in other.good("init", "--no-start")
