from __future__ import annotations

import pytest

from support.enginepair import Star, transfer

_SIZE = 20 << 20


def test_the_kernel_segments_where_it_can() -> None:
    """By default both TUN and sockets use the kernel's offloads, and say so."""
    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        transfer(client.namespace, server.namespace, server.inner4, _SIZE)
        for end in (client, server):
            assert "vnet_hdr, TSO" in end.logs()
            assert "gso=true gro=true" in end.logs()
            assert end.loss("gso_refused") == 0


@pytest.mark.parametrize("inner", ["inner4", "inner6"])
def test_refused_segmentation_is_survived(inner: str) -> None:
    """Where the kernel refuses UDP_SEGMENT, a link's small MTU here, all data still arrives, one by one; it is logged."""
    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        client.namespace.ip("link set ve0 mtu 1400")
        transfer(client.namespace, server.namespace, getattr(server, inner), _SIZE)
        assert client.loss("gso_refused") > 0
        assert client.logs().count("won't segment") == 1
        assert server.loss("gso_refused") == 0


def test_segmentation_is_tried_again_after_a_rebind() -> None:
    """Fresh sockets are a fresh try: another network may take what the last one refused."""
    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        client.namespace.ip("link set ve0 mtu 1400")
        transfer(client.namespace, server.namespace, server.inner4, 1 << 20)
        refused = client.loss("gso_refused")
        assert refused
        client.namespace.ip("link set ve0 mtu 1500")
        client.rebind()
        transfer(client.namespace, server.namespace, server.inner4, _SIZE)
        assert client.loss("gso_refused") == refused
        assert client.logs().count("won't segment") == 1


def test_without_vnet_hdr_packets_go_one_by_one() -> None:
    """A TUN without vnet_hdr works the same, and is logged as such."""
    with Star(offload=False) as star:
        star.connect()
        client, server = star.clients[0], star.server
        assert "one packet at a time" in client.logs()
        transfer(client.namespace, server.namespace, server.inner4, _SIZE)
        transfer(server.namespace, client.namespace, client.inner6, _SIZE)
