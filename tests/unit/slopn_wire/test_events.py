from __future__ import annotations

from slopn_wire.events import Exported


def test_an_exported_file_shows_in_no_trace() -> None:
    """It has the private key."""
    assert "SECRET" not in repr(Exported("PrivateKey = SECRET"))
