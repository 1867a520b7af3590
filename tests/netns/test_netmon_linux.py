from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from slopn_helper.host import rtevents
from slopn_helper.host.journal import Journal
from slopn_helper.host.netmon import NetworkState, linux
from slopn_helper.host.netmon.linux import NetlinkMonitor
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from slopn_helper.host.routes.plan import PROTOCOL
from support.netmon_world import Watcher, do, run, two_uplinks
from support.netns import Namespace
from support.until import until_async


@pytest.fixture
def nets() -> Iterator[tuple[Namespace, Namespace]]:
    """A client with two uplinks, and the router behind both."""
    with two_uplinks() as both:
        yield both


def test_the_first_state_is_the_whole_truth(nets: tuple[Namespace, Namespace]) -> None:
    """Interface, gateways of both families, addresses, MTU, and the gateway's MAC once it was heard."""
    client, router = nets
    mac = router.run("cat /sys/class/net/r-eth0/address").stdout.strip()

    async def scenario(watcher: Watcher) -> None:
        state = watcher.seen[0]
        assert (state.interface, str(state.gateway4), str(state.gateway6)) == ("eth0", "10.1.0.1", "fd01::1")
        assert list(map(str, state.addresses)) == ["10.1.0.2", "fd01::2"]
        assert state.mtu == 1500
        assert state.resumed_at is None
        await asyncio.to_thread(client.run, "ping -c1 10.1.0.1")
        state = await watcher.until(lambda s: s.gateway_mac is not None, "the gateway's MAC")
        assert state.gateway_mac == mac
        await do(client, "neigh flush dev eth0")
        await do(client, "link set eth0 mtu 1400")
        state = await watcher.until(lambda s: s.mtu == 1400, "the new MTU")
        assert state.gateway_mac == mac

    run(client, scenario)


def test_before_the_start_it_is_offline() -> None:
    """Nobody has looked yet, and that isn't mistaken for a network."""
    assert NetlinkMonitor("slopn0").current() == NetworkState(None)


def test_a_lost_carrier_hands_over_and_back(nets: tuple[Namespace, Namespace]) -> None:
    """With the cable pulled the other uplink is the network, before anybody removes a route; plugged in, it is back."""
    client, router = nets

    async def scenario(watcher: Watcher) -> None:
        await do(router, "link set r-eth0 down")
        state = await watcher.until(lambda s: s.interface == "wlan0", "wlan0 takes over")
        assert list(map(str, state.addresses)) == ["10.2.0.2"]
        assert str(state.gateway4) == "10.2.0.1"
        await do(router, "link set r-eth0 up")
        await watcher.until(lambda s: s.interface == "eth0", "eth0 is back")

    run(client, scenario)


def test_offline_and_online_again(nets: tuple[Namespace, Namespace]) -> None:
    """Without any default route there is no network; a new one is a change at once."""
    client, _ = nets

    async def scenario(watcher: Watcher) -> None:
        await do(client, "link set eth0 down\nlink set wlan0 down")
        assert (await watcher.until(lambda s: s.interface is None, "offline")).gateway4 is None
        await do(client, "link set wlan0 up\nroute add default via 10.2.0.1 metric 600")
        await watcher.until(lambda s: s.interface == "wlan0", "online")

    run(client, scenario)


@pytest.mark.parametrize(
    ("batch", "check"),
    [
        ("route replace default via 10.2.0.1 metric 50", lambda s: s.interface == "wlan0"),
        ("addr add 10.1.0.77/24 dev eth0", lambda s: "10.1.0.77" in map(str, s.addresses)),
        ("addr del fd01::2/64 dev eth0", lambda s: "fd01::2" not in map(str, s.addresses)),
        ("route replace default via 10.1.0.9 metric 100", lambda s: str(s.gateway4) == "10.1.0.9"),
        ("link set eth0 mtu 1280", lambda s: s.mtu == 1280),
        ("-6 route del default metric 100", lambda s: s.gateway6 is None and s.interface == "eth0"),
        ("route del default metric 100\nroute del default metric 600", lambda s: (s.interface, s.gateway4) == ("eth0", None)),
        ("route replace default metric 50 nexthop via 10.2.0.1 dev wlan0 weight 1 nexthop via 10.1.0.1 dev eth0 weight 1",
         lambda s: s.interface == "wlan0"),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_seen(
    nets: tuple[Namespace, Namespace], batch: str, check: Callable[[NetworkState], bool]
) -> None:
    """A new best route, address, gateway or MTU, a lost family, and a route with several next hops."""
    client, _ = nets

    async def scenario(watcher: Watcher) -> None:
        assert not check(watcher.seen[-1])
        await do(client, batch)
        await watcher.until(check, batch)

    run(client, scenario)


def test_our_own_doing_is_no_change(
    nets: tuple[Namespace, Namespace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tunnel's device, addresses, routes and rules are never reported; a real change after them is.

    Our own routes don't even cost a look, nor those that the kernel adds with our addresses: a connect must not wake
    the monitor up a dozen times.
    """
    client, _ = nets
    config = RouteConfig(
        "slopn0", (ip_interface("10.9.0.2/32"),), (ip_network("0.0.0.0/0"), ip_network("::/0")), 1420, 51820
    )
    delivered: list[NetworkState] = []
    our_routes: list[bool] = []
    the_kernels: list[bool] = []
    real = NetlinkMonitor._concerns_us

    def noted(self: NetlinkMonitor, message: tuple[int, bytes]) -> bool:
        result = real(self, message)
        kind, body = message
        if kind in linux._ROUTE:
            (our_routes if body[5] == PROTOCOL else the_kernels).append(result)
        return result

    monkeypatch.setattr(NetlinkMonitor, "_concerns_us", noted)

    async def scenario(watcher: Watcher) -> None:
        router = LinuxRouter(Journal(tmp_path / "journal"))
        await do(client, "tuntap add dev slopn0 mode tun")
        for state in (config, None, config):
            await router.apply(state)
        await until_async(lambda: len(our_routes) >= 8, 10.0, "our routes were heard of")
        assert not any(our_routes)
        assert the_kernels
        assert not any(the_kernels)
        await do(client, "route add default dev slopn0 metric 1")
        await do(client, "link del slopn0")
        await do(client, "link set eth0 mtu 1300")
        await watcher.until(lambda s: s.mtu == 1300, "the real change")
        delivered.extend(watcher.seen)

    run(client, scenario)
    assert len(delivered) == 2


def test_a_burst_of_changes_is_few_states(nets: tuple[Namespace, Namespace]) -> None:
    """Forty changes in one go are delivered as a handful of states, the last of which is the truth."""
    client, _ = nets
    batch = "\n".join(f"addr add 10.1.0.{n}/24 dev eth0" for n in range(100, 140))

    async def scenario(watcher: Watcher) -> None:
        await do(client, batch)
        await watcher.until(lambda s: len(s.addresses) == 42, "all addresses")
        assert len(watcher.seen) <= 5

    run(client, scenario)


def test_lost_notifications_cost_a_look_and_no_more(
    nets: tuple[Namespace, Namespace], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When the socket's buffer overruns (ENOBUFS) the state is read anew and the truth comes out."""
    client, _ = nets
    overruns: list[int | None] = []

    class SmallSocket(socket.socket):
        """A netlink socket with the smallest buffer there is, that counts overruns."""

        def setsockopt(self, *_: object) -> None:
            super().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

        def recvfrom(self, *args: int) -> tuple[bytes, object]:
            try:
                return super().recvfrom(*args)
            except BlockingIOError:
                raise
            except OSError as error:
                overruns.append(error.errno)
                raise

    class Patched:
        """The socket module with that socket in it."""

        socket = SmallSocket

        def __getattr__(self, name: str) -> object:
            return getattr(socket, name)

    monkeypatch.setattr(rtevents, "socket", Patched())

    async def scenario(watcher: Watcher) -> None:
        # The monitor can't read while this thread is busy, so the buffer runs over.
        for _ in range(10):
            client.ip(
                "\n".join(f"addr add 10.1.0.{n}/24 dev eth0\naddr del 10.1.0.{n}/24 dev eth0" for n in range(50, 90))
            )
        client.ip("route del default metric 100")
        await watcher.until(lambda s: s.interface == "wlan0", "the state after the overrun")

    run(client, scenario)
    assert overruns
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == []


def test_a_wake_up_is_a_change(nets: tuple[Namespace, Namespace], monkeypatch: pytest.MonkeyPatch) -> None:
    """After sleep the state carries when it ended, although no notification came."""
    client, _ = nets
    slept = [0.0]
    real = linux._clocks
    monkeypatch.setattr(linux, "_clocks", lambda: (real()[0] + slept[0], real()[1]))
    monkeypatch.setattr(linux, "TICK", 0.05)

    async def scenario(watcher: Watcher) -> None:
        assert watcher.seen[-1].resumed_at is None
        slept[0] = 3600.0
        await watcher.until(lambda s: s.resumed_at is not None, "the wake-up")
        assert len(watcher.seen) == 2

    run(client, scenario)
