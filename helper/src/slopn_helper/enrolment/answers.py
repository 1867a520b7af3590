"""What a gateway answers, as a profile. Pure; nothing is taken on trust: an answer that could harm this host is refused.

The gateway was recognised by its pin, but whoever runs it may err, and a server may be broken into.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from msgspec.structs import replace

from slopn_helper import overlap
from slopn_wire.enrolment import PIN_BYTES, host_problem
from slopn_wire.enrolment_api import ApiGateway, Configuration
from slopn_wire.profile import (
    DnsConfig,
    Endpoint,
    EnrolledGateway,
    Enrolment,
    IPAddress,
    IPInterface,
    Peer,
    PostQuantum,
    Profile,
)

MOST_GATEWAYS = 32
MOST_ADDRESSES = 4
MOST_SERVERS = 8
MOST_SEARCH = 16
MOST_INSIDE = 2 * MOST_GATEWAYS
LONGEST_ID = 64
KEEPALIVE = 25
"""Seconds: below the 30 after which the quickest NATs forget a UDP flow."""
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""Both families, whatever addresses there are: what the tunnel can't carry shall not go beside it."""


class BadAnswer(ValueError):
    """What in a gateway's answer can't be, in a sentence."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The gateway's answer can't be used: {what}. Tell whoever runs it; nothing was stored.")


def make_profile(
    answer: Configuration, name: str, now: float, before: Profile | None = None, *, asked: str = ""
) -> Profile:
    """The profile `name`, enrolled or renewed at `now` (Unix time), by the API on the host `asked`. Raises `BadAnswer`.

    `before`: what is stored, whose gateway is kept if it is still one, and so are the user's own choices.
    """
    _check(answer, asked)
    gateways = tuple(map(_gateway, answer.gateways))
    if before is not None and before.peers:
        # Whichever answers a renewal names itself first: no reason to leave the one in use.
        gateways = tuple(sorted(gateways, key=lambda one: one.public_key != before.peers[0].public_key))
    first = gateways[0]
    # Afterwards it is the user's: neither a gateway nor whoever has broken into it turns the keys off by a renewal.
    post_quantum = PostQuantum.ON if answer.post_quantum else PostQuantum.OFF
    if before is not None:
        post_quantum = before.post_quantum
    made = Profile(
        name=name,
        addresses=answer.addresses,
        peers=(Peer(first.public_key, first.endpoint, EVERYTHING, KEEPALIVE),),
        dns=DnsConfig(answer.dns, answer.search),
        enrolment=Enrolment(answer.device, gateways, answer.gateway_addresses, now, answer.expires),
        post_quantum=post_quantum,
    )
    for one in gateways:
        at = overlap.literal(one.endpoint)
        if at is not None and (why := overlap.own_endpoint(made.addresses, at)) is not None:
            raise BadAnswer(why)
    if before is None:
        return made
    return replace(made, mtu=before.mtu, listen_port=before.listen_port, table=before.table, fwmark=before.fwmark)


def moved(before: Profile, after: Profile) -> bool:
    """Whether a tunnel that uses `before` must be made anew: what this host has set for it holds no longer."""
    return before.addresses != after.addresses or before.dns != after.dns


def _check(answer: Configuration, asked: str) -> None:
    if not 1 <= len(answer.device) <= LONGEST_ID or not (answer.device.isascii() and answer.device.isprintable()):
        raise BadAnswer("the device's id is empty, too long or not printable")
    if answer.expires is not None and not (math.isfinite(answer.expires) and answer.expires > 0):
        raise BadAnswer("the time at which it expires is no time")
    _count("gateways", answer.gateways, 1, MOST_GATEWAYS)
    _count("addresses", answer.addresses, 1, MOST_ADDRESSES)
    _count("name servers", answer.dns, 0, MOST_SERVERS)
    _count("search domains", answer.search, 0, MOST_SEARCH)
    _count("addresses of gateways", answer.gateway_addresses, 0, MOST_INSIDE)
    for interface in answer.addresses:
        _check_address(interface)
    for server in answer.dns:
        if (wrong := _unusable(server)) is not None:
            raise BadAnswer(f"{server} as name server, which is {wrong}")
    for name in answer.search:
        if host_problem(name) is not None or overlap.literal(Endpoint(name, 0)) is not None:
            raise BadAnswer(f"{name[:80]!r} as search domain, which isn't a name in ASCII")
    own = {interface.ip for interface in answer.addresses}
    for inside in answer.gateway_addresses:
        if (wrong := _unusable(inside)) is not None or inside in own:
            raise BadAnswer(f"{inside} as a gateway's address in the tunnel, which is {wrong or 'this device’s own'}")
    keys = [gateway.public_key for gateway in answer.gateways]
    if len(set(keys)) < len(keys):
        raise BadAnswer("two gateways have one key")
    for gateway in answer.gateways:
        _check_gateway(gateway, asked)


def _count(what: str, found: Sequence[object], least: int, most: int) -> None:
    if not least <= len(found) <= most:
        raise BadAnswer(f"it names {len(found)} {what}; {least} to {most} are taken")


def _check_address(interface: IPInterface) -> None:
    if (wrong := _unusable(interface.ip)) is not None:
        raise BadAnswer(f"{interface.ip} as this device's address, which is {wrong}")
    if interface.network.prefixlen != interface.max_prefixlen:
        # A network of the tunnel's own takes its addresses from the one that this host is on.
        raise BadAnswer(f"{interface} as this device's address, which is a whole network")


def _unusable(address: IPAddress) -> str | None:
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return "an address with a zone"
        if address.ipv4_mapped is not None:
            return "IPv4 in the clothes of IPv6"
    if address.is_unspecified or address.is_multicast or address.is_loopback or address.is_link_local:
        return "no address of one host in a network"
    return "a broadcast address" if str(address) == "255.255.255.255" else None


def _check_gateway(gateway: ApiGateway, asked: str) -> None:
    for endpoint in (gateway.endpoint, gateway.api):
        if host_problem(endpoint.host) is not None or not 1 <= endpoint.port <= 65535:
            raise BadAnswer(f"a gateway at {endpoint.host[:80]!r}, port {endpoint.port}, which can't be")
        if overlap.literal(endpoint) is not None:
            address = ip_address(endpoint.host)
            address = getattr(address, "ipv4_mapped", None) or address
            if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
                raise BadAnswer(f"a gateway at {address}, which is no address of one host")
            if (address.is_loopback or address.is_link_local) and asked not in {endpoint.host, "localhost"}:
                # Privileged as the helper is, it would knock at whatever listens on this computer alone.
                raise BadAnswer(f"a gateway at {address}, which is this computer or nobody beyond its own network")
    if len(gateway.public_key) != 32 or not any(gateway.public_key):
        raise BadAnswer("a gateway's WireGuard key isn't one")
    if len(gateway.pin) != PIN_BYTES:
        raise BadAnswer(f"a gateway's pin has {len(gateway.pin)} bytes, not {PIN_BYTES}")


def _gateway(gateway: ApiGateway) -> EnrolledGateway:
    key = b64encode(gateway.public_key).decode()
    return EnrolledGateway(gateway.endpoint, key, gateway.pin.hex(), gateway.api)
