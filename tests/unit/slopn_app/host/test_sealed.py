from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import pytest

from slopn_app.credentials.keys import make_key
from slopn_app.host.sealed import load_key


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    made = tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


def test_the_file_is_encrypted_and_gone_at_once(folder: Path) -> None:
    """Its pass phrase is another one each time; only we may read it while it is there."""
    key, request = make_key("x")
    phrases: list[str] = []

    class Context:
        def load_cert_chain(self, path: str, password: str) -> None:
            text = Path(path).read_text()
            assert Path(path).parent == folder
            assert Path(path).stat().st_mode & 0o777 == 0o600
            assert "BEGIN ENCRYPTED PRIVATE KEY" in text
            assert key.splitlines()[1] not in text
            assert request in text
            phrases.append(password)

    for _ in range(2):
        load_key(Context(), request, key)  # type: ignore[arg-type]
        assert list(folder.iterdir()) == []
    assert len(set(phrases)) == 2
    assert all(len(phrase) == 64 for phrase in phrases)


def test_it_is_gone_after_a_failure_as_well(folder: Path) -> None:
    """What OpenSSL can't read leaves nothing behind."""
    key, _ = make_key("x")
    with pytest.raises(ssl.SSLError):
        load_key(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "rubbish", key)
    assert list(folder.iterdir()) == []
