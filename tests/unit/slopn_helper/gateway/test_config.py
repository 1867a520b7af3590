from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

import msgspec
import pytest
from msgspec.structs import fields

from slopn_helper.gateway import config
from slopn_helper.gateway.config import Config, PoolsSection, WireGuardSection, defaults, lent, problem
from slopn_helper.gateway.types import Pool

GOOD = defaults("vpn.example.org", b"abcdefg")


def pools(*networks: str, reserved: tuple[str, ...] = ()) -> dict[str, Any]:
    """A change of the pools alone."""
    v4 = tuple(IPv4Network(each) for each in networks if ":" not in each)
    v6 = tuple(IPv6Network(each) for each in networks if ":" in each)
    return {"pools": PoolsSection(v4, v6, tuple(map(IPv4Address, reserved)))}


def test_defaults_are_good_for_all_chance() -> None:
    """Whatever chance gives, the settings that `init` begins with hold, and their networks lie where they should."""
    for byte in range(256):
        made = defaults("vpn.example.org", bytes([byte] * 7))
        assert problem(made) is None
        (v4,), (v6,) = made.pools.ipv4, made.pools.ipv6
        assert v4.subnet_of(IPv4Network("100.64.0.0/10"))
        assert not v4.overlaps(IPv4Network("100.100.0.0/14"))
        assert v6.subnet_of(IPv6Network("fd00::/8"))
        assert (v4.prefixlen, v6.prefixlen) == (20, 64)


def test_defaults_differ() -> None:
    """Two sites have different networks."""
    assert defaults("a", b"1234567").pools.ipv6 != defaults("a", b"1234568"[::-1]).pools.ipv6
    assert defaults("a", b"1234567").pools.ipv4 != defaults("a", b"1234577").pools.ipv4


def test_defaults_are_safe() -> None:
    """Devices are apart, bans are on, nothing but loopback tells metrics."""
    assert GOOD.network.isolate
    assert GOOD.bans.enabled
    assert GOOD.database.url.startswith("sqlite:////")


def test_each_key_is_described() -> None:
    """Each has a sentence and what is allowed, and each section a sentence of its own."""
    for section in fields(Config):
        assert section.type.__doc__
        for key in fields(section.type):
            (meta,) = key.type.__metadata__
            assert meta.description.endswith((".", "none."))
            assert meta.extra["allowed"]


def test_lent() -> None:
    """Pools get names by family and order, and each knows what is reserved in it."""
    section = pools("10.0.0.0/24", "10.0.1.0/24", "fd00::/64", reserved=("10.0.1.9",))["pools"]
    assert lent(section) == (
        Pool("v4", IPv4Network("10.0.0.0/24")),
        Pool("v4-2", IPv4Network("10.0.1.0/24"), (IPv4Address("10.0.1.9"),)),
        Pool("v6", IPv6Network("fd00::/64")),
    )


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"wireguard": WireGuardSection("a b")}, ("wireguard", "endpoint")),
        (pools(), ("pools",)),
        (pools("10.0.0.0/31"), ("pools", "ipv4", 0)),
        (pools("10.0.0.0/24", "0.0.0.0/0"), ("pools", "ipv4", 1)),
        (pools("0.0.0.0/8"), ("pools", "ipv4", 0)),
        (pools("127.0.0.0/8"), ("pools", "ipv4", 0)),
        (pools("224.0.0.0/8"), ("pools", "ipv4", 0)),
        (pools("fe80::/64"), ("pools", "ipv6", 0)),
        (pools("fd00::/127"), ("pools", "ipv6", 0)),
        (pools("10.0.0.0/16", "10.0.7.0/24"), ("pools", "ipv4", 1)),
        (pools("10.0.0.0/16", "fd00::/64", "fd00::/60"), ("pools", "ipv6", 1)),
        (pools("10.0.0.0/16", reserved=("10.0.0.9", "10.1.0.0")), ("pools", "reserved", 1)),
        ({"dns": config.DnsSection(search=("a.org", "a b"))}, ("dns", "search", 1)),
        ({"enrolment": config.EnrolmentSection(certificate="/a")}, ("enrolment", "certificate")),
        ({"enrolment": config.EnrolmentSection(key="/a")}, ("enrolment", "key")),
        ({"enrolment": config.EnrolmentSection(key="a", certificate="/a")}, ("enrolment", "key")),
        ({"database": config.DatabaseSection("sqlite:///relative")}, ("database", "url")),
        ({"database": config.DatabaseSection("sqlite:////")}, ("database", "url")),
        ({"database": config.DatabaseSection("mysql://a/b")}, ("database", "url")),
        ({"database": config.DatabaseSection("postgresql")}, ("database", "url")),
    ],
)
def test_problem_names_the_key(changes: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """What no single value rules out is found, at the key that is to be changed."""
    found = problem(msgspec.structs.replace(GOOD, **changes))
    assert found is not None
    assert found.path == path
    assert found.message.endswith(".")


@pytest.mark.parametrize("url", ["postgresql://u:p@db.example/slopn", "postgresql:///slopn?host=/run/postgresql"])
def test_good_urls(url: str) -> None:
    """PostgreSQL by TCP or by its socket."""
    assert problem(msgspec.structs.replace(GOOD, database=config.DatabaseSection(url))) is None


def test_no_problem_shows_a_password() -> None:
    """An error ends in a journal."""
    found = problem(msgspec.structs.replace(GOOD, database=config.DatabaseSection("postgres://u:geheim@h/d")))
    assert found is not None
    assert "geheim" not in found.message
