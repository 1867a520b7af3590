"""Profiles and states that tests of front ends show."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from slopn_wire.events import Live, Network, PolicyKind, Snapshot, Stats
from slopn_wire.profile import DnsConfig, Endpoint, EnrolledGateway, Enrolment, Peer, PostQuantum, Profile
from slopn_wire.profile_replies import LinkHolds
from slopn_wire.state import Connected, TargetState

KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

BERLIN = Profile(
    name="berlin",
    addresses=(ip_interface("10.8.0.2/32"), ip_interface("fd00::2/128")),
    peers=(Peer(KEY, Endpoint("vpn.example.org", 51820), (ip_network("0.0.0.0/0"), ip_network("::/0"))),),
    dns=DnsConfig((ip_address("10.8.0.1"),)),
)
PARIS = Profile(
    name="paris",
    addresses=(ip_interface("10.9.0.2/24"),),
    peers=(Peer(KEY, Endpoint("2001:db8::1", 443), (ip_network("10.9.0.0/24"),)), Peer(KEY)),
    notes=("paris.conf:7:1: PostUp is kept but never run.",),
)
LIVE = Live("slopn0", BERLIN.addresses, BERLIN.dns, 1420, 1420)

CONNECTED = Snapshot(
    seq=7,
    version="1.0",
    state=Connected("berlin", (Endpoint("203.0.113.5", 51820),), "slopn0"),
    since=1_700_000_000.0,
    target=TargetState.SECURED,
    target_profile="berlin",
    policy=PolicyKind.TUNNELLED,
    profiles=(BERLIN, PARIS),
    network=Network(online=True, interface="eth0"),
    live=LIVE,
    stats=Stats(12_345_678, 987_654, 1_700_000_100.0),
)
DISCONNECTED = Snapshot(
    seq=3, version="1.0", since=1_700_000_000.0, policy=PolicyKind.OPEN, profiles=(BERLIN, PARIS), network=Network(True)
)

LINK_HOLDS = LinkHolds("vpn.example.org", 443, "5f" * 32, "vpn.example.org")
ENROLLED = Profile(
    "vpn.example.org",
    (ip_interface("10.64.0.2/32"), ip_interface("fd00:64::2/128")),
    (Peer(KEY, Endpoint("vpn.example.org", 51820), tuple(map(ip_network, ("0.0.0.0/0", "::/0"))), 25),),
    DnsConfig((ip_address("10.64.0.1"),)),
    enrolment=Enrolment(
        "abcdefghijklmnop",
        (
            EnrolledGateway(Endpoint("vpn.example.org", 51820), KEY, "5f" * 32, Endpoint("vpn.example.org", 443)),
            EnrolledGateway(Endpoint("203.0.113.9", 51820), KEY[::-1], "6a" * 32, Endpoint("203.0.113.9", 443)),
        ),
        (ip_address("10.64.0.1"),),
        1_767_276_000.0,
        1_775_052_000.0,
    ),
    post_quantum=PostQuantum.ON,
)
"""Made by an enrolment link, of a place with two gateways."""
