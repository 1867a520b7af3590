"""Which settings are refused before they are stored."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from slopn_helper.acceptable import problem
from slopn_wire.settings import Settings


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(portal_url=""),
        Settings(portal_url="http://192.0.2.1/"),
        Settings(portal_url="http://example.org:80/a?b"),
        Settings(dns_mechanism="resolved"),
        Settings(resolvers=(ip_address("192.0.2.53"),)),
    ],
)
def test_what_can_be_obeyed(settings: Settings) -> None:
    """Nothing is said."""
    assert problem(settings) is None


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (Settings(dns_mechanism="bind"), "dns_mechanism"),
        (Settings(resolvers=(ip_address("0.0.0.0"),)), "resolver"),
        (Settings(resolvers=(ip_address("ff02::1"),)), "resolver"),
        (Settings(exclude=(ip_network("127.0.0.0/8"),)), "127.0.0.0/8"),
        *[
            (Settings(portal_url=url), "portal_url")
            for url in (
                "https://example.org/",
                "http://example.org:8080/",
                "http://example.org:x/",
                "http:///page",
                "example.org",
                "http://user@example.org/",
                "http://example.org/ x",
                "http://example.org/\r\nHost: x",
                "http://example.org/" + "a" * 200,
                "http://[::1/",
            )
        ],
    ],
)
def test_what_can_not(settings: Settings, word: str) -> None:
    """The sentence names what it is about."""
    assert word in str(problem(settings))
