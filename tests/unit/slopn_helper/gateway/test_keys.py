from __future__ import annotations

import os
import stat
from base64 import b64encode
from pathlib import Path

import pytest

from slopn_helper.gateway import keys
from slopn_helper.gateway.keys import GatewayKeyError

ME = os.getuid()


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """The second call finds the first one's; the folder is made as closed as the file."""
    path = tmp_path / "state/wireguard.key"
    made = keys.create(path, owner=ME)
    assert len(made) == keys.LENGTH
    assert keys.create(path, owner=ME) == made == keys.load(path, ME)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_file_is_what_wg_genkey_writes(tmp_path: Path) -> None:
    """Base64 and a line's end, so that `wg pubkey < wireguard.key` works; the key is clamped as wg does."""
    path = tmp_path / "wireguard.key"
    made = keys.create(path, lambda _: b"\xff" * 32, ME)
    assert path.read_bytes() == b64encode(made) + b"\n"
    assert made == b"\xf8" + b"\xff" * 30 + b"\x7f"


def test_a_public_key_is_that_of_the_rfc() -> None:
    """RFC 7748, section 5.2: after one iteration, where scalar and point are 9."""
    wanted = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert keys.public_key(bytes([9, *bytes(31)])).hex() == wanted


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """With the way to mend it."""
    path = tmp_path / "wireguard.key"
    keys.create(path, owner=ME)
    path.chmod(mode)
    with pytest.raises(GatewayKeyError, match="chmod 0600"):
        keys.load(path, ME)
    assert "chmod" in (keys.problem(path, ME) or "")


def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Whoever owns the file could exchange it."""
    path = tmp_path / "wireguard.key"
    keys.create(path, owner=ME)
    with pytest.raises(GatewayKeyError, match="belongs to"):
        keys.load(path, ME + 1)


@pytest.mark.parametrize("content", [b"", b"AAAA\n", b"\xff" * 44, b64encode(bytes(33)), b"x" * 5000])
def test_a_damaged_key_is_named_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    """Nor is it quoted."""
    path = tmp_path / "wireguard.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(GatewayKeyError, match="damaged") as caught:
        keys.create(path, owner=ME)
    assert path.read_bytes() == content
    assert "AAAA" not in str(caught.value)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Not even to a file that would do."""
    there = tmp_path / "there"
    keys.create(there, owner=ME)
    path = tmp_path / "wireguard.key"
    path.symlink_to(there)
    with pytest.raises(GatewayKeyError):
        keys.create(path, owner=ME)


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    """`load` makes none."""
    with pytest.raises(GatewayKeyError, match="slopn-gateway init"):
        keys.load(tmp_path / "wireguard.key", ME)
    assert keys.problem(tmp_path / "wireguard.key", ME) is not None
