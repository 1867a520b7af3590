"""What a failed TLS handshake says about whoever failed it. Pure."""

from __future__ import annotations

import ssl


def strange(error: OSError) -> str | None:
    """What came instead of TLS 1.3, in OpenSSL's words (`http_request`); None: nothing that one could blame anybody for.

    A connection that says nothing, is cut or is too slow is a bad network or somebody's look whether the port is open.
    And who ends it with an alert has spoken TLS 1.3 and refuses us: a pin that doesn't fit, a browser.
    """
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    reason = (error.reason or "").lower()
    if not reason or "alert" in reason or "unexpected_eof" in reason:
        return None
    return reason
