from __future__ import annotations

import ssl

import pytest

from slopn_helper.gateway.api.handshake import strange


def error(reason: str) -> ssl.SSLError:
    """As OpenSSL's errors come."""
    made = ssl.SSLError(1, f"[SSL: {reason}]")
    made.reason = reason
    return made


@pytest.mark.parametrize("reason", ["HTTP_REQUEST", "WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "NO_SHARED_CIPHER"])
def test_something_else_than_tls_1_3(reason: str) -> None:
    """In OpenSSL's words, for the log."""
    assert strange(error(reason)) == reason.lower()


@pytest.mark.parametrize(
    "nobody",
    [
        error("TLSV1_ALERT_UNKNOWN_CA"),
        error("SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
        error("UNEXPECTED_EOF_WHILE_READING"),
        ssl.SSLEOFError(8, "EOF"),
        ConnectionResetError("cut"),
        ConnectionAbortedError("SSL handshake is taking longer than 5.0 seconds"),
        TimeoutError(),
    ],
    ids=repr,
)
def test_nobody_is_to_blame(nobody: OSError) -> None:
    """A refused pin, a cut line, a slow one."""
    assert strange(nobody) is None
