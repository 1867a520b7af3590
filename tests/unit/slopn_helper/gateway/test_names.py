from __future__ import annotations

import subprocess
from ipaddress import ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway import names
from slopn_wire.profile import IPNetwork
from support.unbound import ANCHOR, CHECK

POOLS: list[IPNetwork] = [ip_network("100.80.0.0/20"), ip_network("fd00:1::/64"), ip_network("10.0.0.0/24")]


@pytest.mark.parametrize("anchor", [ANCHOR, None])
@pytest.mark.parametrize("pools", [POOLS, POOLS[:1], POOLS[1:2]])
def test_unbound_takes_it(tmp_path: Path, pools: list[IPNetwork], anchor: Path | None) -> None:
    """By its own checker's word."""
    path = tmp_path / "unbound.conf"
    path.write_text(names.config(pools, anchor))
    done = subprocess.run([CHECK, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("interface", "10.0.0.1\n100.80.0.1\nfd00:1::1"),
        ("log-queries", "no"),
        ("log-replies", "no"),
        ("log-local-actions", "no"),
        ("verbosity", "0"),
        ("control-enable", "no"),
        ("chroot", ""),
        ("trust-anchor-file", str(ANCHOR)),
    ],
)
def test_it_is_read_as_it_is_meant(tmp_path: Path, option: str, wanted: str) -> None:
    """It listens inside alone, and writes down no question."""
    path = tmp_path / "unbound.conf"
    path.write_text(names.config(POOLS, ANCHOR))
    done = subprocess.run([CHECK, "-o", option, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == wanted


def test_the_same_pools_give_the_same_file() -> None:
    """In whatever order, so that nothing is restarted for it."""
    assert names.config(POOLS) == names.config(reversed(POOLS))
    assert names.is_ours(names.config(POOLS))
    assert not names.is_ours("server:\n")
