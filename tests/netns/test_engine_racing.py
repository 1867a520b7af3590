from __future__ import annotations

import base64
import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_engine import Event
from support.enginepair import PORT, End, Star, sniffing
from support.until import until

_PROGRAMS = {
    "slopn-engine": Path(sys.executable).parent / "slopn-engine",
    "wireguard-go": Path(__file__).resolve().parents[2] / ".cache/bin/wireguard-go",
}
_SOON = 4.0
"""Seconds; a handshake that has to be tried again takes 5 (REKEY_TIMEOUT of the whitepaper)."""
_INITIATION, _RESPONSE, _DATA = 1, 2, 4


@pytest.fixture
def star() -> Iterator[Star]:
    """A server that listens, and a client that doesn't know it yet; both have IPv4 and IPv6."""
    with Star() as made:
        made.server.apply(made.clients[0].as_peer(), port=PORT)
        yield made


def call(star: Star, *, first6: bool = False, initiate: bool = True) -> None:
    """Give the client both addresses of the server."""
    client, server = star.clients[0], star.server
    first, second = star.address(client, over6=first6), star.address(client, over6=not first6)
    private = base64.b64decode(client.keys.private)
    with client.namespace.entered():
        client.engine.apply(private, None, None, None, [server.as_peer(first)], initiate, {server.public: [second]})


def connect(star: Star) -> None:
    """The same, and wait until both have a session."""
    call(star)
    client, server = star.clients[0], star.server
    until(lambda: client.handshakes(server) and server.handshakes(client), _SOON, "the first handshake")


def endpoint(end: End) -> str | None:
    """Where the engine takes its one peer to be."""
    seen = end.engine.counters().peers[0].endpoint
    return seen[0] if seen else None


def lose(client: End, what: str) -> None:
    """What comes to the client and matches is lost."""
    client.namespace.nft(f"table inet loss {{ chain c {{ type filter hook input priority -300; {what} drop; }}; }}")


def swallow(end: End, *families: str) -> None:
    """What comes to the server by these families is lost without a word."""
    rules = "; ".join(f"meta nfproto {family} udp dport {PORT} drop" for family in families)
    end.namespace.nft(f"table inet hole {{ chain c {{ type filter hook input priority -300; {rules}; }}; }}")


def datagrams(wire: list[bytes], kind: int, version: int) -> list[bytes]:
    """WireGuard messages of that kind among the IP packets."""
    headers = {4: 28, 6: 48}
    ours = (packet for packet in list(wire) if packet[:1] and packet[0] >> 4 == version)
    udp = (packet[headers[version] :] for packet in ours if packet[{4: 9, 6: 6}[version]] == 17)
    return [message for message in udp if message[:4] == bytes([kind, 0, 0, 0])]


def assert_copies_are_ignored(wire: list[bytes], *, first: int, second: int) -> None:
    """Two messages went to both addresses, or are about to: each was answered once, where it came first."""
    until(lambda: datagrams(wire, _RESPONSE, second), _SOON, "the second answer is seen")
    copy, another = datagrams(wire, _INITIATION, second)
    assert datagrams(wire, _INITIATION, first)[0] == copy != another
    assert len(datagrams(wire, _RESPONSE, first)) == len(datagrams(wire, _RESPONSE, second)) == 1


def test_a_blackholed_first_address_costs_no_retry(star: Star) -> None:
    """IPv4 is first and swallows everything: the copy of the same message gets through by IPv6 long before a retry."""
    client, server = star.clients[0], star.server
    swallow(server, "ipv4")
    with sniffing(client.namespace, "ve0") as wire:
        connect(star)
        assert client.pings(server.inner4)
        over4, over6 = datagrams(wire, _INITIATION, 4), datagrams(wire, _INITIATION, 6)
    assert over4 == over6
    assert len(over4) == 1
    assert endpoint(client) == "fd99:1::fe"
    assert endpoint(server) == "fd99:1::1"


def test_when_the_first_answers_the_others_hear_nothing(star: Star) -> None:
    """Both families work: one message, one answer, one session, and nothing at all to the second address."""
    client, server = star.clients[0], star.server
    with sniffing(client.namespace, "ve0") as wire:
        connect(star)
        assert client.pings(server.inner4, "-c5 -i0.2 -W1")
        assert len(datagrams(wire, _INITIATION, 4)) == len(datagrams(wire, _RESPONSE, 4)) == 1
        assert not [message for kind in (1, 2, 3, 4) for message in datagrams(wire, kind, 6)]
    assert client.handshakes(server) == server.handshakes(client) == 1


def test_a_path_that_loses_the_answers_does_not_win_for_ever(star: Star) -> None:
    """IPv4 delivers, but its answers are lost: the copy isn't answered; in the second try the other address is first."""
    client, server = star.clients[0], star.server
    lose(client, f"ip saddr 10.99.1.254 udp sport {PORT}")
    with sniffing(client.namespace, "ve0") as wire:
        call(star)
        until(lambda: client.handshakes(server), 2 * _SOON, "a handshake at the second try")
        assert_copies_are_ignored(wire, first=4, second=6)
    assert endpoint(client) == "fd99:1::fe"
    assert client.handshakes(server) == server.handshakes(client) == 1
    assert client.pings(server.inner4)


def test_a_renewal_that_is_not_answered_stays_where_data_comes_from() -> None:
    """While traffic flows, initiations that nobody answers go to the endpoint alone."""
    with Star(rekey_after=1.0) as star:
        client, server = star.clients[0], star.server
        server.apply(client.as_peer(), port=PORT)
        connect(star)
        lose(client, f"udp sport {PORT} @th,64,8 {_RESPONSE}")
        noise = client.namespace.popen(["ping", "-i0.05", "-q", server.inner4])
        try:
            with sniffing(client.namespace, "ve0") as wire:
                until(lambda: len(datagrams(wire, _INITIATION, 4)) >= 2, 15, "a second try")
                assert client.pings(server.inner4)
                assert not datagrams(wire, _INITIATION, 6)
        finally:
            noise.kill()


def test_from_an_ipv4_network_to_one_of_ipv6_only(star: Star) -> None:
    """Without any route to its endpoint the client goes on by IPv6 at once, in the same session."""
    client, server = star.clients[0], star.server
    connect(star)
    client.namespace.run("ip -4 addr flush dev ve0")
    with sniffing(client.namespace, "ve0") as wire:
        client.rebind()
        until(lambda: endpoint(server) == "fd99:1::1", _SOON, "the server knows")
        assert client.pings(server.inner4)
        assert server.pings(client.inner6)
        first = next(packet[48:] for packet in wire if packet[0] >> 4 == 6 and packet[6] == 17)
    assert first[0] == _DATA
    assert endpoint(client) == "fd99:1::fe"
    # Told the configuration again, as the helper does on a change of network, it stays where it works.
    call(star, initiate=False)
    assert endpoint(client) == "fd99:1::fe"


def test_a_route_that_goes_without_notice_is_no_end(star: Star) -> None:
    """The endpoint's family vanishes and nobody calls `rebind`: the first lost packet makes the client look elsewhere."""
    client, server = star.clients[0], star.server
    connect(star)
    client.namespace.run("ip -4 addr flush dev ve0")
    client.wait_ping(server.inner4, _SOON)
    assert endpoint(client) == "fd99:1::fe"


def test_without_any_network_it_comes_back_with_the_first_address(star: Star) -> None:
    """Sockets made while there is no network: once there is one the gateway learns it without any traffic or timer."""
    client, server = star.clients[0], star.server
    connect(star)
    before = client.handshakes(server)
    client.namespace.ip("addr flush dev ve0")
    client.rebind()
    until(lambda: client.loss("send_ENETUNREACH") >= 6, _SOON, "several tries")
    assert client.handshakes(server) == before
    client.namespace.ip("addr add 10.99.1.77/24 dev ve0")
    until(lambda: endpoint(server) == "10.99.1.77", _SOON, "the server knows")
    assert server.pings(client.inner4)


def test_a_first_handshake_waits_for_a_network(star: Star) -> None:
    """Begun without any network, the handshake is done as soon as there is one, not at the next retry."""
    client, server = star.clients[0], star.server
    client.namespace.ip("addr flush dev ve0")
    call(star)
    until(lambda: client.loss("send_ENETUNREACH") >= 6, _SOON, "several tries")
    client.namespace.ip("addr add 10.99.1.1/24 dev ve0")
    until(lambda: client.handshakes(server), _SOON, "the handshake")


def test_a_host_without_ipv6_takes_the_other_address_at_once(star: Star) -> None:
    """IPv6 is first and switched off on the host: the IPv4 address is called without a pause."""
    client, server = star.clients[0], star.server
    client.namespace.sysctl({f"net/ipv6/conf/{name}/disable_ipv6": "1" for name in ("all", "default")})
    call(star, first6=True)
    until(lambda: client.handshakes(server), _SOON, "the handshake")
    assert endpoint(client) == "10.99.1.254"


def test_other_alternatives_leave_the_session_alone(star: Star) -> None:
    """Addresses may come and go by `apply`: nothing is renewed, and the endpoint stays where the session works."""
    client, server = star.clients[0], star.server
    swallow(server, "ipv4")
    connect(star)
    private = base64.b64decode(client.keys.private)
    for others in ([star.address(client, over6=True)], [star.address(client, over6=True), ("192.0.2.9", 7)]):
        with client.namespace.entered():
            client.engine.apply(
                private, None, None, None, [server.as_peer(star.address(client))], False, {server.public: others}
            )
        assert endpoint(client) == "fd99:1::fe"
        assert client.pings(server.inner4)
    assert client.handshakes(server) == 1


def test_a_dead_gateway_is_told_while_somebody_still_waits(star: Star) -> None:
    """With traffic running, a gateway that has gone is reported after some 18 s, and both addresses were asked."""
    client, server = star.clients[0], star.server
    connect(star)
    noise = client.namespace.popen(["ping", "-i0.2", "-q", server.inner4])
    try:
        until(lambda: client.pings(server.inner4), _SOON, "traffic")
        server.engine.close()
        with sniffing(client.namespace, "ve0") as wire:
            until(lambda: client.events(Event.Stale), 25, "the gateway is dead")
            assert len({bytes(m) for m in datagrams(wire, _INITIATION, 4)}) >= 5
            assert datagrams(wire, _INITIATION, 6)
    finally:
        noise.kill()


@pytest.mark.parametrize("program", _PROGRAMS)
def test_other_programs_ignore_copies_and_follow(program: str) -> None:
    """wireguard-go, and our own program behind wg(8): one session from two copies, and a move without traffic is made known."""
    device = f"wgr{os.getpid()}{secrets.token_hex(1)}"
    with Star() as star, contextlib.ExitStack() as stack:
        client, server = star.clients[0], star.server
        there = server.namespace
        there.ip("link set wgt0 down")
        running = there.popen([str(_PROGRAMS[program]), "-f", device])
        stack.callback(running.wait, 10)
        stack.callback(running.terminate)
        until(lambda: there.run(["wg", "show", device], check=False).returncode == 0, 10, f"{program} runs")
        allowed = f"{client.inner4}/32,{client.inner6}/128"
        there.run(
            f"wg set {device} private-key /dev/stdin listen-port {PORT} peer {client.keys.public} allowed-ips {allowed}",
            input=server.keys.private,
        )
        there.ip(f"addr add {server.inner4}/24 dev {device}\nlink set {device} up")

        def seen() -> str:
            return there.run(["wg", "show", device, "endpoints"]).stdout.split()[1]

        # IPv6 first: this wireguard-go sends to a wrong IPv6 address whatever it sends after something by IPv4.
        lose(client, f"ip6 saddr fd99:1::fe udp sport {PORT}")
        with sniffing(client.namespace, "ve0") as wire:
            call(star, first6=True)
            until(lambda: client.handshakes(server), 2 * _SOON, "a handshake at the second try")
            assert_copies_are_ignored(wire, first=6, second=4)
        assert client.pings(server.inner4)
        client.namespace.ip("addr flush dev ve0")
        client.rebind()
        client.namespace.ip("addr add 10.99.1.77/24 dev ve0")
        until(lambda: seen().startswith("10.99.1.77:"), _SOON, "the move")
        assert client.pings(server.inner4)
