from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from slopn_helper.conf import values
from slopn_helper.conf.errors import Defect
from slopn_helper.conf.lexer import Token
from slopn_wire.profile import Endpoint


def token(text: str) -> Token:
    """A value in line 4, column 10."""
    return Token(text, 4, 10)


@pytest.mark.parametrize(
    ("function", "text", "value"),
    [
        (values.mtu, "1280", 1280),
        (values.mtu, "", None),
        (values.table, "AUTO", "auto"),
        (values.table, "0xFF01", "65281"),
        (values.table, "default", "253"),
        (values.boolean, "True", True),
        (values.listen_port, "0", None),
        (values.listen_port, "5 1820", 51820),
        (values.fwmark, "0xffffffff", 0xFFFFFFFF),
        (values.fwmark, "off", None),
        (values.keepalive, "0025", 25),
        (values.endpoint, "a.example:1", Endpoint("a.example", 1)),
        (values.endpoint, "[2001:DB8::0:1]:65535", Endpoint("2001:db8::1", 65535)),
    ],
)
def test_a_value_is_read(function: Callable[[Token], Any], text: str, value: object) -> None:
    """Numbers may have leading zeros, words any case, and wg's own values white space inside, as wg has them."""
    assert function(token(text)) == value


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (values.mtu, "1_400"),
        (values.mtu, "1 400"),
        (values.mtu, "+1400"),
        (values.mtu, "9" * 5000),
        (values.table, "0777"),
        (values.table, "local"),
        (values.fwmark, "0XCA6C"),
        (values.fwmark, "0x"),
        (values.fwmark, "-1"),
        (values.keepalive, ""),
        (values.endpoint, "[::1]:1:2"),
        (values.endpoint, "[127.0.0.1]:1"),
        (values.endpoint, "1.2.3.4.:1"),
        (values.endpoint, "10.1:1"),
        (values.endpoint, "host.0x7f:1"),
        (values.endpoint, "-a.example:1"),
        (values.endpoint, "255.255.255.255:1"),
    ],
)
def test_a_value_is_refused(function: Callable[[Token], Any], text: str) -> None:
    """What Python would read as a number or an address, and wg or the kernel would not, is refused."""
    with pytest.raises(Defect) as caught:
        function(token(text))
    assert caught.value.line == 4
    assert 10 <= caught.value.column <= 10 + len(text)


def test_lists_keep_the_place_of_each_item() -> None:
    """Addresses and networks come with their tokens, for what is found out about them later."""
    assert [(at.column, value) for at, value in values.addresses(token("10.0.0.1/8 fd00::1"))] == [
        (10, ip_interface("10.0.0.1/8")),
        (21, ip_interface("fd00::1/128")),
    ]
    assert [(at.column, value) for at, value in values.networks(token("10.1.2.3/8, ::1/0"))] == [
        (10, ip_network("10.0.0.0/8")),
        (22, ip_network("::/0")),
    ]


def test_dns_tells_servers_from_domains() -> None:
    """As wg-quick does: digits and dots, or a colon, make an address; all else is a search domain."""
    assert values.resolvers(token("10.0.0.1 corp.example,fd00::1, lan")) == (
        [ip_address("10.0.0.1"), ip_address("fd00::1")],
        ["corp.example", "lan"],
    )


@pytest.mark.parametrize(
    ("inside", "least"),
    [((), 576), (("10.0.0.2/32",), 576), (("fd00::2/64",), 1280), (("10.0.0.2/32", "::/0"), 1280)],
)
def test_least_mtu(inside: tuple[str, ...], least: int) -> None:
    """IPv6 asks for more, as address or as network."""
    assert values.least_mtu(map(ip_interface, inside)) == least
