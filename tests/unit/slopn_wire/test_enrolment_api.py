"""The enrolment API's messages: as JSON and back; what they hold shows in no trace."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import msgspec
import pytest

from slopn_wire.codec import decode, encode
from slopn_wire.enrolment_api import ApiGateway, Configuration, Enrol, Renew, Rotate
from slopn_wire.profile import Endpoint

GATEWAY = ApiGateway(Endpoint("vpn.example.org", 51820), bytes(32), bytes(32), Endpoint("vpn.example.org", 8443))
CONFIGURATION = Configuration(
    "d1",
    "laptop",
    (ip_interface("100.80.0.2/32"), ip_interface("fd12::2/128")),
    (GATEWAY,),
    (ip_address("100.80.0.1"),),
    ("example.org",),
    (ip_address("100.80.0.1"), ip_address("fd12::1")),
    1e9,
)
ENROL = Enrol(b"t" * 32, "laptop", bytes(32), b"c", b"p" * 32)


@pytest.mark.parametrize(
    "message",
    [CONFIGURATION, ENROL, Renew(bytes(32), b"c", b"p"), Rotate(bytes(32), bytes(32), b"c", b"p", b"q")],
    ids=lambda message: type(message).__name__,
)
def test_there_and_back(message: msgspec.Struct) -> None:
    """Through JSON."""
    assert decode(encode(message), type(message)) == message


def test_a_newer_gateway_may_say_more() -> None:
    """A device passes over what it doesn't know; the gateway takes nothing that it doesn't know."""
    text = encode(CONFIGURATION)
    assert decode(text[:-1] + b',"new":1}', Configuration) == CONFIGURATION
    with pytest.raises(msgspec.ValidationError, match="new"):
        decode(encode(ENROL)[:-1] + b',"new":1}', Enrol)


def test_a_token_shows_nowhere() -> None:
    """Neither in logs nor in traces."""
    assert repr(ENROL) == "Enrol('laptop')"
