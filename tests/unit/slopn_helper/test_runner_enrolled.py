"""Effects of a profile that came by an enrolment: several gateways, keys that are demanded."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from ipaddress import ip_address

import msgspec

from slopn_helper.gateways import Gateways
from slopn_helper.runner import FWMARK
from slopn_helper.tunnel.effects import (
    ResolveEndpoints,
    StartEngine,
)
from slopn_wire.profile import Endpoint, EnrolledGateway, Enrolment, IPAddress, PostQuantum, Profile
from support.fakes import PROFILE, FakeBook
from support.runner_bench import Bench

ENDPOINT = Endpoint("192.0.2.1", 51820)


def enrolled(post_quantum: PostQuantum = PostQuantum.OFF) -> Profile:
    """At two gateways, one of which has a name that nobody knows."""
    keys = PROFILE.peers[0].public_key, b64encode(bytes(32)).decode()
    gateways = tuple(
        EnrolledGateway(Endpoint(host, 51820), key, "", Endpoint(host, 443))
        for key, host in zip(keys, ("gone.example.org", "192.0.2.1"), strict=True)
    )
    enrolment = Enrolment("d", gateways, (ip_address("10.9.0.1"),), 0.0)
    return msgspec.structs.replace(PROFILE, enrolment=enrolment, post_quantum=post_quantum)


def test_gateways_that_are_not_found_are_left_out() -> None:
    """The engine gets the others, with the profile's networks for the one that is used."""
    bench = Bench("192.0.2.1", book=FakeBook(enrolled()))

    async def resolve(host: str, *_: object, **__: object) -> tuple[IPAddress, ...]:
        if host == "gone.example.org":
            raise OSError("no such name")
        return (ip_address(host),)

    bench.runner._gateways = Gateways(resolve, bench.last_good, FWMARK)
    found = asyncio.run(bench.runner.resolve(ResolveEndpoints("lab")))
    assert found == ((ENDPOINT,),)
    bench.run(StartEngine("lab", found))
    assert bench.engine.config is not None
    (peer,) = bench.engine.config.peers
    assert (peer.public_key, peer.endpoint) == (bytes(32), ("192.0.2.1", 51820))
    assert peer.allowed_ips == PROFILE.peers[0].allowed_ips


def test_the_core_knows_what_is_demanded() -> None:
    """And where it is agreed. Wanted alone is no demand."""
    for wanted, inside in ((PostQuantum.DEMAND, (ip_address("10.9.0.1"),)), (PostQuantum.ON, ())):
        context = Bench(book=FakeBook(enrolled(wanted))).runner.context()
        assert context.profiles["lab"].demands == inside
        assert not context.protected
