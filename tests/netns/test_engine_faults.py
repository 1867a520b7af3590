from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import slopn_engine
from slopn_engine import Event
from support.enginepair import PORT, Star, transfer
from support.netns import Namespace
from support.until import until


@pytest.fixture
def star() -> Iterator[Star]:
    """A server with one connected client."""
    with Star() as made:
        made.connect()
        yield made


@pytest.mark.parametrize(
    ("break_it", "mend", "counted"),
    [
        ("ip addr flush dev ve0", "ip addr add 10.99.1.1/24 dev ve0", "send_ENETUNREACH"),
        ("ip route add unreachable 10.99.1.254", "ip route del unreachable 10.99.1.254", "send_EHOSTUNREACH"),
        (
            "nft 'table inet t { chain c { type filter hook output priority 0; udp dport 51820 drop; }; }'",
            "nft delete table inet t",
            "send_EPERM",
        ),
    ],
    ids=["no address", "unreachable", "forbidden"],
)
def test_errors_of_sending_are_counted_and_survived(star: Star, break_it: str, mend: str, counted: str) -> None:
    """Whatever the kernel says to a datagram, the session goes on when the fault is gone."""
    client, server = star.clients[0], star.server
    before = client.handshakes(server)
    assert client.loss(counted) == 0
    client.namespace.run(break_it)
    assert not client.pings(server.inner4)
    until(lambda: client.loss(counted) > 0, 5, counted)
    client.namespace.run(mend)
    client.wait_ping(server.inner4)
    assert client.handshakes(server) == before


def test_datagrams_that_are_too_long_are_survived(star: Star) -> None:
    """A wire that takes no such length loses nothing for good: short packets pass, long ones go in fragments."""
    client, server = star.clients[0], star.server
    client.namespace.ip("link set ve0 mtu 1300")
    assert client.pings(server.inner4, "-c2 -i0.1 -W1 -s 1000")
    transfer(client.namespace, server.namespace, server.inner4, 4 << 20)


def test_a_stuck_uplink_holds_up_no_command(star: Star) -> None:
    """While the wire takes nothing more, commands and closing return at once; what they send is counted as lost."""
    client, server = star.clients[0], star.server
    client.namespace.run("tc qdisc add dev ve0 root tbf rate 8kbit burst 3k limit 200m")
    with client.namespace.entered():
        flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flood.setblocking(False)
    failures: list[BaseException] = []

    def command() -> None:
        try:
            while not client.loss("send_EAGAIN"):
                with contextlib.suppress(BlockingIOError):
                    for _ in range(2000):
                        flood.sendto(bytes(1300), (server.inner4, 9))
                client.apply(server.as_peer(star.address(client)))
            client.engine.close()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    thread = threading.Thread(target=command, daemon=True)
    try:
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        assert failures == []
    finally:
        client.namespace.run("tc qdisc del dev ve0 root")
        thread.join(10)
        flood.close()


def test_garbage_is_counted_and_survived(star: Star) -> None:
    """Random datagrams, and every message type cut at every length, change nothing for the session."""
    client, server = star.clients[0], star.server
    before = client.handshakes(server)
    with client.namespace.entered():
        garbage = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with garbage:
        for kind in range(6):
            for length in (0, 1, 3, 4, 8, 15, 16, 31, 32, 33, 63, 64, 65, 91, 92, 93, 147, 148, 149, 1400):
                body = bytes([kind, 0, 0, 0]) + os.urandom(length)
                garbage.sendto(body[:length], ("10.99.1.254", PORT))
    until(lambda: server.loss("rx_invalid") >= 6 * 17, 5, "the garbage is counted")
    assert client.pings(server.inner4)
    assert client.handshakes(server) == before


def test_a_deleted_device_ends_the_engine_with_a_reason(star: Star) -> None:
    """When the TUN device is deleted the engine says so, refuses further commands, and closes."""
    client, server = star.clients[0], star.server
    client.namespace.ip("link del wgt0")
    down = until(lambda: client.events(Event.Down), 5, "the engine is down")
    assert "TUN" in down[0].reason
    with pytest.raises(slopn_engine.EngineError, match="ended"):
        client.rebind()
    client.engine.close()
    with pytest.raises(slopn_engine.EngineError, match="closed"):
        client.engine.counters()
    assert server.engine.counters().peers


def test_closing_frees_name_port_and_threads() -> None:
    """An engine can be made and closed again and again under the same name and port, also while traffic flows."""

    def threads() -> list[str]:
        names = (task / "comm" for task in Path("/proc/self/task").iterdir())
        found = []
        for name in names:
            with contextlib.suppress(OSError):
                found.append(name.read_text().strip())
        return [name for name in found if name.startswith("wg-")]

    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        running = len(threads())
        noise = client.namespace.popen(["ping", "-i0.002", "-q", server.inner4])
        for _ in range(5):
            server.engine.close()
            assert len(threads()) == running - 3
            with server.namespace.entered():
                server.engine = slopn_engine.Engine("wgt0", uapi=False)
            server.namespace.ip(f"addr add {server.inner4}/24 dev wgt0\nlink set wgt0 up")
            server.apply(client.as_peer(), port=PORT)
        noise.kill()
        client.reconnect(server, star.address(client))


def test_an_engine_that_is_dropped_ends_by_itself() -> None:
    """Without `close`, the device goes with the last reference."""
    with Namespace("lone") as namespace:
        with namespace.entered():
            engine = slopn_engine.Engine("wgt0", uapi=False)
        namespace.run("ip link show wgt0")
        del engine
        assert namespace.run("ip link show wgt0", check=False).returncode != 0


def test_the_device_may_move_to_another_namespace(star: Star) -> None:
    """Moved to a namespace without any other network, the tunnel goes on; its MTU is followed there, and renamed too."""
    client, server = star.clients[0], star.server
    with Namespace("inner") as inner:
        client.namespace.ip(f"link set wgt0 netns {inner.name}")
        inner.ip(f"link set wgt0 name moved\naddr add {client.inner4}/24 dev moved\nlink set moved up")
        assert inner.run(f"ping -c3 -i0.1 -W2 {server.inner4}").returncode == 0
        inner.ip("link set moved mtu 1300")
        until(lambda: "MTU 1420 → 1300" in client.logs(), 5, "the MTU is followed")
        client.engine.set_mtu(1280)
        assert "mtu 1280" in inner.run("ip link show moved").stdout
        transfer(inner, server.namespace, server.inner4, 8 << 20)
        client.rebind()
        assert inner.run(f"ping -c3 -i0.1 -W2 {server.inner4}").returncode == 0
        inner.ip("link del moved")
        until(lambda: client.events(Event.Down), 5, "the engine is down")


def test_a_silent_peer_is_reported_as_stale(star: Star) -> None:
    """A peer that doesn't answer handshakes for 15 s is reported, with the age of its last handshake."""
    client, server = star.clients[0], star.server
    assert not client.events(Event.Stale)
    server.engine.close()
    client.apply(server.as_peer(star.address(client)))
    stale = until(lambda: client.events(Event.Stale), 25, "the peer is stale")
    assert stale[0].public_key == server.public
    assert stale[0].age is not None
    assert stale[0].age >= 15


def test_commands_from_many_threads_do_not_block_each_other(star: Star) -> None:
    """Applying, rebinding and counting at the same time, under traffic, neither deadlocks nor breaks the session."""
    client, server = star.clients[0], star.server
    noise = client.namespace.popen(["ping", "-i0.002", "-q", server.inner4])
    end = time.monotonic() + 2
    failures: list[BaseException] = []

    def hammer(action: int) -> None:
        try:
            while time.monotonic() < end:
                match action:
                    case 0:
                        client.apply(server.as_peer(star.address(client)), initiate=False)
                    case 1:
                        client.rebind()
                    case _:
                        client.engine.counters()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=hammer, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    noise.kill()
    assert failures == []
    client.wait_ping(server.inner4)
    assert not client.events(Event.Down)
