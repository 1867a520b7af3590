"""What answers in place of a web page, whoever it is: a verdict, and an address that may be shown."""

from __future__ import annotations

import re

from slopn_helper.host.portal import LONGEST_LOCATION, Found, judge

HOST = "detectportal.firefox.com"


def target(data: bytes) -> None:
    """An ended answer always gives a verdict; what was decided early isn't decided otherwise by what comes after."""
    verdict = judge(data, HOST, ended=True)
    assert verdict is not None
    if verdict.location is not None:
        assert verdict.found is Found.PORTAL
        assert len(verdict.location) <= LONGEST_LOCATION
        assert re.fullmatch(r"https?://[!-~]+", verdict.location, re.IGNORECASE)
        assert "@" not in re.split("[/?#]", verdict.location)[2]
    for cut in {len(data) // 2, max(len(data) - 1, 0)}:
        judge(data[:cut], HOST, ended=False)


def seeds() -> list[bytes]:
    """The page, its absence, and portals of several kinds."""
    return [
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsuccess\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nsuccess\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 302 Found\r\nLocation: https://login.example.net/?mac=00:11\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 511 Network Authentication Required\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\n\n<html><meta http-equiv=refresh>",
    ]
