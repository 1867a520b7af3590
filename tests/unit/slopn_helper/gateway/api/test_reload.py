from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from slopn_helper.gateway.api.reload import Freshness
from slopn_helper.gateway.certificate import context, ensure


class Shown:
    """What handshakes are made with."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.tls = tls


@pytest.mark.parametrize(
    ("what", "said", "shown"),
    [
        ("nothing", "", False),
        ("renewed", "was renewed", True),
        ("damaged", "of no use", False),
        ("gone", "of no use", False),
        ("another key", "another key", False),
    ],
)
def test_a_changed_certificate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str, said: str, *, shown: bool
) -> None:
    """A good one for the same key is shown from then on; of others the log tells, once."""
    caplog.set_level("INFO")
    identity = ensure(tmp_path / "1", "a.example")
    other = ensure(tmp_path / "2", "a.example")
    door = Shown(context(identity))
    first = door.tls
    freshness = Freshness(identity, door)
    if what == "renewed":
        identity.chain_pem_path.unlink()
        ensure(tmp_path / "1", "a.example")
    elif what == "damaged":
        identity.chain_pem_path.write_text("nothing")
    elif what == "gone":
        identity.key_path.unlink()
    elif what == "another key":
        other.chain_pem_path.replace(identity.chain_pem_path)
        other.key_path.replace(identity.key_path)
    freshness.look()
    freshness.look()
    assert (door.tls is not first) == shown
    assert [said in record.message for record in caplog.records] == ([True] if said else [])
