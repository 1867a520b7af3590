from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slopn_app.credentials.keys import make_key
from slopn_app.host import memfd, sealed
from slopn_helper.ipc.pki import Authority

LoadKey = Callable[[ssl.SSLContext, str, str], None]


@pytest.fixture
def issued(tmp_path: Path) -> tuple[str, str]:
    """A certificate and its key."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    key, request = make_key("x")
    return Authority.open(state, time.time(), os.geteuid()).issue(request, "d", time.time()).certificate, key


@pytest.mark.parametrize("load_key", [memfd.load_key, sealed.load_key])
def test_openssl_takes_both(issued: tuple[str, str], load_key: LoadKey) -> None:
    """No descriptor stays open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    load_key(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), *issued)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("load_key", [memfd.load_key, sealed.load_key])
def test_a_key_of_another_certificate_is_refused(issued: tuple[str, str], load_key: LoadKey) -> None:
    """By OpenSSL; nothing stays behind."""
    other, _ = make_key("y")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ssl.SSLError):
        load_key(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), issued[0], other)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_key_is_in_no_file(issued: tuple[str, str]) -> None:
    """What OpenSSL opens is in memory alone, and nobody inherits it."""
    seen: list[str] = []

    class Context:
        def load_cert_chain(self, path: str) -> None:
            seen.append(str(Path(path).readlink()))
            descriptor = int(path.rpartition("/")[2])
            assert not os.get_inheritable(descriptor)

    memfd.load_key(Context(), *issued)  # type: ignore[arg-type]
    assert seen == ["/memfd:slopn (deleted)"]
