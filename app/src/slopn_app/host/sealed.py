"""Certificate and key for OpenSSL, which reads files alone, where no file is in memory only: sealed, and gone at once."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl


def load_key(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Give `context` both, PEM, by a file that is encrypted under a random pass phrase. Raises `OSError`, `ValueError`."""
    import tempfile

    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    phrase = os.urandom(32).hex()
    sealed = load_pem_private_key(key.encode(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(phrase.encode())
    )
    descriptor, path = tempfile.mkstemp(prefix="slopn-", suffix=".pem")  # only its owner may read it
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate.encode() + b"\n" + sealed)
        context.load_cert_chain(path, password=phrase)
    finally:
        os.unlink(path)  # noqa: PTH108 - pathlib is heavy
