"""Which of a tunnel's addresses get in the way of itself, or of the host's own networks."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import msgspec
import pytest

from slopn_helper.overlap import OnLink, literal, own_endpoint, through_itself, with_links
from slopn_wire.profile import DnsConfig, Endpoint, Profile
from support.fakes import PROFILE

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def _profile(address: str, *servers: str) -> Profile:
    return msgspec.structs.replace(
        PROFILE,
        addresses=tuple(ip_interface(one) for one in address.split()),
        dns=DnsConfig(tuple(ip_address(server) for server in servers)),
    )


def _link(network: str, *addresses: str) -> OnLink:
    return OnLink(ip_network(network), "eth0", tuple(ip_address(one) for one in addresses))


@pytest.mark.parametrize(
    ("address", "gateway", "refused"),
    [
        ("10.0.0.2/24", "10.0.0.1", True),
        ("10.0.0.2/32", "10.0.0.2", True),
        ("10.0.0.2/32", "10.0.0.1", False),
        ("fd00::2/64", "fd00::1", True),
        ("fd00::2/64", "2001:db8::1", False),
        ("10.0.0.2/24 fd00::2/64", "192.0.2.1", False),
    ],
)
def test_a_gateway_inside_the_tunnel(address: str, gateway: str, *, refused: bool) -> None:
    """Its packets would go into the tunnel that they are to carry."""
    said = own_endpoint(_profile(address).addresses, ip_address(gateway))
    assert (said is not None) is refused
    assert said is None or gateway in said


@pytest.mark.parametrize(
    ("address", "routed", "servers", "link", "refused"),
    [
        ("192.168.1.7/24", EVERYTHING, (), ("192.168.1.0/24",), True),  # which of both is meant?
        ("192.168.0.7/16", EVERYTHING, (), ("192.168.1.0/24",), True),  # the LAN's half is lost
        ("192.168.1.7/25", EVERYTHING, (), ("192.168.1.0/24",), False),  # the tunnel's is the narrower
        ("10.64.0.7/32", EVERYTHING, (), ("10.0.0.0/8",), False),  # a single address in a wide LAN works
        ("10.64.0.7/32", EVERYTHING, (), ("10.0.0.0/8", "10.64.0.7"), True),  # this host has it already
        ("10.64.0.7/32", EVERYTHING, (), ("10.64.0.0/24", "10.64.0.7"), True),  # the LAN's gateway has it
        ("10.9.0.2/32", (ip_network("192.168.1.0/24"),), (), ("192.168.1.0/24",), True),
        ("10.9.0.2/32", (ip_network("192.168.0.0/16"),), (), ("192.168.1.0/24",), False),
        ("10.9.0.2/32", (ip_network("192.168.1.8/32"),), (), ("192.168.1.0/24",), False),
        ("10.9.0.2/32", (*EVERYTHING, ip_network("192.168.1.0/24")), (), ("192.168.1.0/24",), False),
        ("10.9.0.2/32", EVERYTHING, ("192.168.1.1",), ("192.168.1.0/24",), True),  # asked on the LAN, refused there
        ("10.9.0.2/32", EVERYTHING, ("10.9.0.1",), ("192.168.1.0/24",), False),
        ("fd00:1::7/64", EVERYTHING, (), ("fd00:1::/64",), True),
        ("fd00:1::7/64", EVERYTHING, (), ("192.168.1.0/24",), False),
    ],
)
def test_networks_of_this_host(
    address: str, routed: tuple[object, ...], servers: tuple[str, ...], link: tuple[str, ...], *, refused: bool
) -> None:
    """Refused is what would look connected and not be; the sentence names the device."""
    said = with_links(_profile(address, *servers), routed, [_link("198.51.100.0/24"), _link(*link)])  # type: ignore[arg-type]
    assert (said is not None) is refused
    assert said is None or "eth0" in said


def test_a_literal_endpoint() -> None:
    """With brackets or without; a name is none."""
    assert literal(Endpoint("[2001:db8::1]", 1)) == ip_address("2001:db8::1")
    assert literal(Endpoint("192.0.2.1", 1)) == ip_address("192.0.2.1")
    assert literal(Endpoint("vpn.example.org", 1)) is None


@pytest.mark.parametrize(
    ("table", "gateway", "refused"),
    [
        ("254", "192.0.2.1", True),
        ("254", "2001:db8::1", True),
        ("auto", "192.0.2.1", False),
        ("77", "192.0.2.1", False),
        ("off", "192.0.2.1", False),
    ],
)
def test_routes_that_lead_the_gateway_into_its_own_tunnel(table: str, gateway: str, *, refused: bool) -> None:
    """In table main a route takes the engine's own packets too; elsewhere the mark or nobody's rule keeps them out."""
    said = through_itself(msgspec.structs.replace(PROFILE, table=table), [ip_address(gateway)])
    assert (said is not None) is refused
    assert said is None or gateway in said
