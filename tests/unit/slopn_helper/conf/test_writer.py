from __future__ import annotations

import base64
from ipaddress import IPv4Address, IPv6Address, ip_interface
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slopn_helper.conf import Parsed, parse, write
from slopn_helper.overlap import literal, own_endpoint
from slopn_helper.secrets import ProfileSecrets, Secret
from slopn_wire.profile import DnsConfig, Endpoint, Peer, Profile

VALID = Path(__file__).resolve().parents[3] / "data/conf/valid"

keys = st.binary(min_size=32, max_size=32).filter(any)
labels = st.sampled_from(["vpn", "a", "se-sto-01", "xn--bcher-kva", "_x", "example", "net", "1a"])
names = st.lists(labels, min_size=1, max_size=4).map(".".join)
# `st.ip_addresses` favours special networks, which is slow and half of them refused.
addresses = st.builds(IPv4Address, st.integers(0, 2**32 - 1)) | st.builds(IPv6Address, st.integers(0, 2**128 - 1))
hosts = addresses.filter(lambda a: not (a.is_multicast or a.is_unspecified or a == IPv4Address("255.255.255.255")))
own = hosts.filter(lambda address: not address.is_loopback)


def prefixed(address: IPv4Address | IPv6Address) -> st.SearchStrategy[tuple[IPv4Address | IPv6Address, int]]:
    """An address with a prefix length of its family."""
    return st.tuples(st.just(address), st.integers(0, address.max_prefixlen))


interfaces = own.flatmap(prefixed).map(lambda pair: ip_interface((pair[0], pair[1])))
networks = addresses.flatmap(prefixed).map(lambda pair: ip_interface((pair[0], pair[1])).network)


@st.composite
def profiles(draw: st.DrawFn) -> tuple[Profile, ProfileSecrets]:
    """Any profile that a wg-quick file can express, with its keys."""
    public = draw(st.lists(keys, min_size=1, max_size=4, unique=True))
    allowed = draw(st.lists(networks, max_size=12, unique=True))
    preshared: dict[str, Secret] = {}
    peers = []
    for index, raw in enumerate(public):
        key = base64.b64encode(raw).decode()
        if draw(st.booleans()):
            preshared[key] = Secret(draw(keys))
        endpoint = st.builds(Endpoint, names | hosts.map(str), st.integers(1, 65535))
        peers.append(
            Peer(
                public_key=key,
                endpoint=draw(st.none() | endpoint),
                allowed_ips=tuple(allowed[index :: len(public)]),
                persistent_keepalive=draw(st.none() | st.integers(1, 65535)),
                has_preshared_key=key in preshared,
            )
        )
    servers = draw(st.lists(hosts, unique=True))
    profile = Profile(
        name="any",
        addresses=tuple(draw(st.lists(interfaces, min_size=1, unique=True))),
        peers=tuple(peers),
        dns=DnsConfig(servers=tuple(servers), search=tuple(draw(st.lists(names, unique=True)))),
        mtu=draw(st.none() | st.integers(1280, 65535)),
        listen_port=draw(st.none() | st.integers(1, 65535)),
        table=draw(st.sampled_from(["auto", "off"]) | st.integers(256, 0xFFFFFFFF).map(str)),
        fwmark=draw(st.none() | st.integers(1, 0xFFFFFFFF)),
    )
    places = (literal(peer.endpoint) for peer in peers if peer.endpoint is not None)
    assume(all(place is None or own_endpoint(profile.addresses, place) is None for place in places))
    return profile, ProfileSecrets(Secret(draw(keys)), preshared)


@settings(max_examples=15)
@given(profiles())
def test_what_is_written_is_read_back(each: tuple[Profile, ProfileSecrets]) -> None:
    """Any profile survives an export and an import, keys included."""
    profile, secrets = each
    parsed = parse(write(profile, secrets), "x.conf")
    assert without_notes(parsed).named("any") == profile
    assert parsed.secrets == secrets


@pytest.mark.parametrize("path", sorted(VALID.glob("*.conf")), ids=lambda path: path.stem)
def test_an_imported_file_can_be_exported(path: Path) -> None:
    """What was imported comes out as a file that means the same; only notes are left out."""
    parsed = parse(path.read_bytes().decode(), path.name)
    again = parse(write(parsed.named("any"), parsed.secrets), "x.conf")
    assert without_notes(again) == without_notes(parsed)


def without_notes(parsed: Parsed) -> Parsed:
    """All that an export keeps."""
    return msgspec.structs.replace(parsed, notes=())


PEER = Peer(public_key=base64.b64encode(bytes([7] * 32)).decode())
PROFILE = Profile(name="any", addresses=(ip_interface("10.0.0.2/32"),), peers=(PEER,))


@pytest.mark.parametrize(
    "change",
    [
        {"dns": DnsConfig(servers=(IPv4Address("10.0.0.1"),), match=("corp.example",))},
        {"dns": DnsConfig(search=("corp.example\nPostUp = true",))},
        {"table": "7\nPostUp = true"},
        {"peers": ()},
        {"peers": (msgspec.structs.replace(PEER, endpoint=Endpoint("a b", 1)),)},
        {"peers": (msgspec.structs.replace(PEER, has_preshared_key=True),)},
        {"mtu": 100},
    ],
)
def test_what_a_file_can_not_express_is_refused(change: dict[str, Any]) -> None:
    """A profile that did not come from a file is written faithfully or not at all; no value can smuggle in a line."""
    secrets = ProfileSecrets(Secret(bytes([9] * 32)))
    with pytest.raises(ValueError, match="the profile"):
        write(msgspec.structs.replace(PROFILE, **change), secrets)
