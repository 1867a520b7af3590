from __future__ import annotations

import os
import ssl
import tempfile
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from slopn_helper.ipc.certificates import make_authority, make_server, pem
from slopn_helper.ipc.chain import load_chain
from support.certificates import client_context, handshake, new_key

KEY = new_key()
AUTHORITY = make_authority(KEY, time.time())
OWN = new_key()
CERTIFICATE = pem(make_server(AUTHORITY, KEY, OWN.public_key(), time.time()))


def loaded() -> ssl.SSLContext:
    """A server's context with the key `OWN`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_chain(context, OWN, CERTIFICATE)
    return context


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files would lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def open_files() -> set[str]:
    """What this process has open."""
    return {str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}


def test_a_key_is_loaded_from_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context serves with it, no file is made, and the memory is closed again."""

    def forbidden(**_: object) -> None:
        raise AssertionError("a file was made")

    monkeypatch.setattr(tempfile, "mkstemp", forbidden)
    context = loaded()
    assert handshake(context, client_context(pem(AUTHORITY))).client == "TLSv1.3"
    assert not list(folder.iterdir())
    assert not [each for each in open_files() if "memfd:slopn" in each]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """Mode and content of each file that is read, on a system without memfd_create(2)."""
    found: list[tuple[int, bytes]] = []
    load = ssl.SSLContext.load_cert_chain

    def note(context: ssl.SSLContext, path: str, password: str | None = None) -> None:
        found.append((Path(path).stat().st_mode & 0o777, Path(path).read_bytes()))
        load(context, path, password=password)

    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", note)
    return found


def test_elsewhere_the_file_is_encrypted_and_gone_at_once(folder: Path, seen: list[tuple[int, bytes]]) -> None:
    """Nobody but us may read it, and who could would need the pass phrase, which is in no file."""
    context = loaded()
    assert handshake(context, client_context(pem(AUTHORITY))).client == "TLSv1.3"
    ((mode, content),) = seen
    assert mode == 0o600
    with pytest.raises(TypeError, match="encrypted"):
        serialization.load_pem_private_key(content, password=None)
    assert not list(folder.iterdir())


def test_the_file_is_gone_also_after_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while it is read."""
    monkeypatch.delattr(os, "memfd_create")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ssl.SSLError):
        load_chain(context, new_key(), CERTIFICATE)
    assert not list(folder.iterdir())


def test_without_proc_the_file_is_used(
    folder: Path, seen: list[tuple[int, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that can't be named as a file is of no use (no /proc in a container)."""
    monkeypatch.setattr(os, "memfd_create", lambda _: os.open(folder, os.O_TMPFILE | os.O_RDWR), raising=False)
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: not str(path).startswith("/proc/self/fd/") and exists(path))
    loaded()
    assert len(seen) == 1
