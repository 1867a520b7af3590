"""Certificate and key for OpenSSL, which reads files alone: a file that is in memory only (memfd_create(2))."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl


def load_key(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Give `context` both, PEM. Raises `OSError` (`ssl.SSLError` is one)."""
    descriptor = os.memfd_create("slopn", os.MFD_CLOEXEC)
    try:
        data = memoryview(f"{certificate}\n{key}".encode())
        while data:
            data = data[os.write(descriptor, data) :]
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
