"""The path's MTU over a hop that drops what is too long without a word (RFC 8899), both families outside."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from support.enginepair import End, transfer
from support.hop import Hop
from support.until import until

_BULK = 16 << 20
_CUTS_NOTHING = """
table inet strict {
  chain forward {
    type filter hook forward priority 0
    meta length > MOST drop
  }
}
"""


@pytest.fixture(params=[False, True], ids=["over IPv4", "over IPv6"])
def hop(request: pytest.FixtureRequest) -> Iterator[Hop]:
    """A tunnel that works, over a hop of 1500; nothing is measured yet."""
    with Hop(over6=request.param) as made:
        made.connect()
        yield made


def test_hops_are_found_exactly(hop: Hop) -> None:
    """Whatever the hop takes is found to the byte, by echoes of either family."""
    for number, mtu in enumerate((1500, 1492, 1420, 1380, 1340, 1499, 1300, 1280)):
        hop.narrow(mtu)
        hop.probe(hop.server.public, hop.server.inner6 if number % 2 else hop.server.inner4)
        hop.until_found(mtu)


def test_a_shrink_in_the_middle_of_a_transfer_stops_no_connection(hop: Hop) -> None:
    """Both ways TCP goes on, in either family: the client's by the TUN's MTU, the server's since its engine is told."""
    client, server = hop.client, hop.server
    hop.probe(server.public, server.inner4)
    hop.until_found(1500)
    for mtu, (source, target), address in (
        (1400, (client, server), server.inner4),
        (1390, (server, client), client.inner4),
        (1380, (client, server), server.inner6),
        (1370, (server, client), client.inner6),
    ):
        before = _bytes(client)
        done = threading.Thread(target=transfer, args=(source.namespace, target.namespace, address, 4 * _BULK))
        done.start()
        until(partial(_has_passed, client, before + _BULK), 30, "the transfer is under way")
        hop.narrow(mtu)
        hop.until_found(mtu)
        done.join(60)
        assert not done.is_alive()


def test_a_rise_is_found(hop: Hop) -> None:
    """While there is traffic, more is tried now and then."""
    hop.narrow(1340)
    hop.probe(hop.server.public, hop.server.inner4, raise_after=1.0)
    hop.until_found(1340)
    hop.narrow(1492)
    hop.until_found(1492, meanwhile=lambda: hop.client.pings(hop.server.inner4, "-c5 -i0.01 -s1000 -W1"))


@pytest.mark.parametrize("mtu", [1300, 1280])
def test_ipv6_inside_passes_where_its_least_does_not_fit(hop: Hop, mtu: int) -> None:
    """The TUN keeps IPv6's least. TCP agrees on segments that fit; what is longer goes in pieces, both ways."""
    client, server = hop.client, hop.server
    hop.narrow(mtu)
    for router in hop.routers:
        router.nft(_CUTS_NOTHING.replace("MOST", str(mtu)))
    hop.probe(server.public, server.inner6)
    hop.until_found(mtu)
    assert "mtu 1280 " in client.namespace.run("ip -o link show wgt0").stdout
    full = f"-c3 -i0.1 -W5 -s {1280 - 48}"
    assert client.pings(server.inner6, full), "full packets, there and back"
    assert server.pings(client.inner6, full)
    for router in hop.routers:
        # It would also drop what its own kernel has put together for speed.
        router.nft("delete table inet strict")
    transfer(client.namespace, server.namespace, server.inner6, 1 << 20)
    transfer(server.namespace, client.namespace, client.inner6, 1 << 20)


def _bytes(end: End) -> int:
    counters = end.engine.counters()
    return counters.tx_bytes + counters.rx_bytes


def _has_passed(end: End, number: int) -> bool:
    return _bytes(end) > number
