from __future__ import annotations

from support.enginepair import PORT, Star, transfer
from support.until import until


def test_both_families_inside_ipv6() -> None:
    """Over a wire that has IPv6 only, both families pass in the tunnel, small packets and bulk data."""
    with Star() as star:
        for end in (star.server, *star.clients):
            device = "ve1" if end is star.server else "ve0"
            end.namespace.run(["ip", "-4", "addr", "flush", "dev", device])
        star.connect(over6=True)
        client, server = star.clients[0], star.server
        assert client.pings(server.inner4)
        assert client.pings(server.inner6)
        transfer(client.namespace, server.namespace, server.inner4, 20 << 20)
        transfer(server.namespace, client.namespace, client.inner6, 20 << 20)
        assert server.engine.counters().peers[0].endpoint == ("fd99:1::1", client.engine.listen_port)


def test_link_local_endpoints_have_a_scope() -> None:
    """An endpoint such as fe80::1%ve0 is reached, and shown with its scope."""
    with Star() as star:
        client, server = star.clients[0], star.server
        server.namespace.ip("-6 addr add fe80::fe/64 dev ve1")
        server.apply(client.as_peer(), port=PORT)
        until(lambda: client.namespace.run("ping -6 -c1 -W1 fe80::fe%ve0", check=False).returncode == 0, 5, "the wire")
        client.apply(server.as_peer(("fe80::fe%ve0", PORT)))
        client.wait_ping(server.inner4)
        endpoint = client.engine.counters().peers[0].endpoint
        assert endpoint is not None
        assert endpoint[0].startswith("fe80::fe%")


def test_a_host_without_ipv6_survives() -> None:
    """Where IPv6 is switched off, the engine goes on with IPv4 alone."""
    with Star() as star:
        client, server = star.clients[0], star.server
        client.namespace.sysctl({"net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1"})
        star.connect()
        assert client.pings(server.inner4)
        client.apply(server.as_peer(star.address(client, over6=True)))
        until(
            lambda: sum(n for k, n in client.engine.counters().losses.items() if k.startswith("send_")), 5, "an error"
        )
        client.apply(server.as_peer(star.address(client)))
        client.wait_ping(server.inner4)
