from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from slopn_wire.profile import Endpoint, IPAddress, IPInterface, IPNetwork


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("192.0.2.1", "192.0.2.1:51820"),
        ("2001:db8::1", "[2001:db8::1]:51820"),
        ("vpn.example.net", "vpn.example.net:51820"),
    ],
)
def test_an_endpoint_reads_as_in_a_file(host: str, text: str) -> None:
    """Only an IPv6 address stands in brackets, as wg(8) wants it."""
    assert str(Endpoint(host, 51820)) == text


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1"])
def test_both_families_are_one_type(text: str) -> None:
    """The three names that the codec decodes to cover IPv4 and IPv6 alike, and nothing else."""
    assert isinstance(ip_address(text), IPAddress)
    assert isinstance(ip_interface(text), IPInterface)
    assert isinstance(ip_network(text), IPNetwork)
    assert not isinstance(text, IPAddress)
    assert not isinstance(ip_network(text), IPAddress)
