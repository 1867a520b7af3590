"""Proof that somebody has an X25519 private key, without showing it: a MAC under what only the two of them can know.

A WireGuard key can't sign. Both sides agree a secret by it (RFC 7748) and the verifier's short-lived key; HKDF (RFC 5869)
makes the MAC's key of it, bound to both public keys, and the MAC is over what is asked for and the challenge. Pure.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_INFO = b"SloPN possession v1"


def prove(private_key: bytes, verifier: bytes, purpose: str, challenge: bytes, about: bytes) -> bytes:
    """By the device: 32 bytes. `verifier`: the challenge's public key; `about`: what else the proof is bound to.

    Raises `ValueError` for a `verifier` of low order.
    """
    own = X25519PrivateKey.from_private_bytes(private_key)
    secret = own.exchange(X25519PublicKey.from_public_bytes(verifier))
    return _mac(secret, own.public_key().public_bytes_raw(), verifier, purpose, challenge, about)


def proves(
    verifier: X25519PrivateKey, public_key: bytes, purpose: str, challenge: bytes, about: bytes, proof: bytes
) -> bool:
    """By the gateway: whether `proof` comes from whoever has the private key of `public_key`; in constant time."""
    try:
        secret = verifier.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:
        return False
    ours = _mac(secret, public_key, verifier.public_key().public_bytes_raw(), purpose, challenge, about)
    return hmac.compare_digest(ours, proof)


def _mac(secret: bytes, device: bytes, verifier: bytes, purpose: str, challenge: bytes, about: bytes) -> bytes:
    key = HKDF(SHA256(), 32, salt=device + verifier, info=_INFO).derive(secret)
    parts = (purpose.encode(), challenge, about)
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.digest(key, message, "sha256")
