"""ML-KEM-768 (FIPS 203) as OpenSSL has it, and what stands in for it in tests."""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

SEED = 64
"""Bytes of a key pair's seed, d and z of FIPS 203."""

ENCAPSULATION_KEY = 1184
"""Bytes."""

CIPHERTEXT = 1088
"""Bytes."""


class Kem(Protocol):
    """A key encapsulation mechanism of ML-KEM-768's sizes."""

    def public(self, seed: bytes) -> bytes:
        """The encapsulation key of the pair that comes from `seed`."""

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """A secret of 32 bytes and its ciphertext. Raises `ValueError` for what is no encapsulation key."""

    def decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        """The secret in `ciphertext`; another one if it wasn't made for this pair. Raises `ValueError` by its length."""


class MlKem768:
    """The real one. Raises `cryptography.exceptions.UnsupportedAlgorithm` where OpenSSL is older than 3.5."""

    def public(self, seed: bytes) -> bytes:
        """The encapsulation key of the pair that comes from `seed`."""
        return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """A secret and its ciphertext. Raises `ValueError`."""
        return MLKEM768PublicKey.from_public_bytes(public).encapsulate()

    def decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        """The secret in `ciphertext`. Raises `ValueError`."""
        return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)
