from __future__ import annotations

from slopn_helper.engine import EngineConfig, PeerConfig

PEER = PeerConfig(
    public_key=b"p" * 32, allowed_ips=(), endpoint=("192.0.2.1", 51820), preshared_key=b"sharedsecret" * 3
)
CONFIG = EngineConfig(interface="slopn0", private_key=b"privatesecret" * 3, peers=(PEER,))


def test_no_key_stands_in_what_is_logged() -> None:
    """A configuration that ends in a log line or a traceback shows interface and endpoint, never a key."""
    for text in (repr(CONFIG), str(CONFIG), f"{[CONFIG]}", repr(PEER), str(PEER), repr(CONFIG.peers)):
        assert "secret" not in text
    assert "slopn0" in repr(CONFIG)
    assert "192.0.2.1" in repr(PEER)
