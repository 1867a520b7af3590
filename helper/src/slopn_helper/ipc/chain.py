"""Giving Python's `ssl` a key that is in memory alone: it takes the name of a file (ssl.SSLContext.load_cert_chain)."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def load_chain(context: ssl.SSLContext, key: ec.EllipticCurvePrivateKey, certificate: str) -> None:
    """Make `context` use `key` with `certificate` (PEM). Raises `OSError`.

    Where the system has memfd_create(2), the key touches no file system. Elsewhere it lies in a file of ours, encrypted
    under a pass phrase that is in memory alone, until it is read: a fraction of a second.
    """
    create: Callable[[str], int] | None = getattr(os, "memfd_create", None)
    if create is None or not _load_memory(context, key, certificate, create):
        _load_encrypted(context, key, certificate)


def _load_memory(
    context: ssl.SSLContext, key: ec.EllipticCurvePrivateKey, certificate: str, create: Callable[[str], int]
) -> bool:
    descriptor = create("slopn")
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        path = Path(f"/proc/self/fd/{descriptor}")
        if not path.exists():
            return False
        file.write(_key(key, serialization.NoEncryption()) + certificate.encode())
        context.load_cert_chain(path)
    return True


def _load_encrypted(context: ssl.SSLContext, key: ec.EllipticCurvePrivateKey, certificate: str) -> None:
    phrase = token_urlsafe(32)
    encrypted = _key(key, serialization.BestAvailableEncryption(phrase.encode()))
    descriptor, name = tempfile.mkstemp(prefix="slopn-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(encrypted + certificate.encode())
        context.load_cert_chain(name, password=phrase)
    finally:
        Path(name).unlink()


def _key(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
