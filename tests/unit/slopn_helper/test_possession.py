"""Whoever has the private key proves it; nobody else, and for nothing else."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_helper.possession import prove, proves

DEVICE = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"device").digest())
VERIFIER = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"verifier").digest())
STRANGER = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"stranger").digest())
PUBLIC = DEVICE.public_key().public_bytes_raw()
PROOF = prove(DEVICE.private_bytes_raw(), VERIFIER.public_key().public_bytes_raw(), "/v1/enrol", b"once", b"me")


def test_the_owner_proves_it() -> None:
    """With the bytes that this version has always made: both ends may be of different age."""
    assert proves(VERIFIER, PUBLIC, "/v1/enrol", b"once", b"me", PROOF)
    assert PROOF.hex() == "092da70ea0cfb5a4976ce85b1a5d23f626790ffddeb50fbebb48567daf965722"


@pytest.mark.parametrize(
    "changed",
    [
        {"verifier": STRANGER},
        {"public_key": STRANGER.public_key().public_bytes_raw()},
        {"purpose": "/v1/renew"},
        {"challenge": b"twice"},
        {"about": b"you"},
        {"challenge": b"onc", "about": b"eme"},
        {"proof": PROOF[:-1]},
        {"proof": b""},
        {"proof": bytes(32)},
        {"public_key": bytes(32)},
    ],
    ids="+".join,
)
def test_nothing_else_is_proven(changed: dict[str, object]) -> None:
    """Neither another's key, nor another moment or purpose, nor a key of low order."""
    asked: dict[str, object] = {
        "verifier": VERIFIER,
        "public_key": PUBLIC,
        "purpose": "/v1/enrol",
        "challenge": b"once",
        "about": b"me",
        "proof": PROOF,
    }
    assert not proves(**{**asked, **changed})  # type: ignore[arg-type]


def test_a_verifier_of_low_order_is_refused() -> None:
    """Its secret would be known to everybody."""
    with pytest.raises(ValueError, match="shared key"):
        prove(DEVICE.private_bytes_raw(), bytes(32), "/v1/enrol", b"once", b"me")
