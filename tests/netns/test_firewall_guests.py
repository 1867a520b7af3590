"""Names that a container or a virtual machine asks for: its own resolver in the open, the tunnel's while connected."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest
from msgspec import structs

from slopn_helper.host.firewall import Open, Tunnelled, flows, nftables, ruleset
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from support.capture import Capture
from support.firewall import HostFirewall, blocked, tunnelled
from support.gateway import CLIENT4, CLIENT6, TUNNEL4, TUNNEL6
from support.netns import Namespace, veth
from support.probe import ask, connect, dns
from support.topology import DNS4, DNS6, ETH0, GATEWAY4, GATEWAY6, WEB4, Lab
from support.toy_tunnel import FAR_INTERFACE, INTERFACE, MARK, ToyTunnel
from support.until import until

ROUTES = RouteConfig(
    INTERFACE,
    (ip_interface(f"{CLIENT4}/32"), ip_interface(f"{CLIENT6}/128")),
    (ip_network("0.0.0.0/0"), ip_network("::/0")),
    1380,
    MARK,
)
BRIDGE4, GUEST4 = "172.17.0.1", "172.17.0.2"
BRIDGE6, GUEST6 = "fd17::1", "fd17::2"
MASQUERADE = f"""
table inet docker {{
  chain post {{
    type nat hook postrouting priority srcnat
    oifname != "docker0" ip saddr {GUEST4}/16 masquerade
    oifname != "docker0" ip6 saddr {GUEST6}/64 masquerade
  }}
}}
"""
"""What Docker does for its bridge."""
FAR_DNS6 = f"""
table ip6 far {{
  chain pre {{
    type nat hook prerouting priority dstnat
    iifname "{FAR_INTERFACE}" ip6 daddr {TUNNEL6} meta l4proto {{ tcp, udp }} th dport 53 dnat to {DNS6}
  }}
}}
"""
OWN_PORT = 5300


def connected() -> Tunnelled:
    """With a resolver of each family in the tunnel."""
    return structs.replace(tunnelled(), dns=(ip_address(TUNNEL4), ip_address(TUNNEL6)))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab with one uplink and a tunnel through which both resolvers can be asked."""
    with Lab(uplinks=("eth0",)) as made, ToyTunnel(made.client, made.gateway) as tunnel:
        tunnel.address()
        made.gateway.nft(FAR_DNS6)
        made.client.sysctl({"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"})
        made.client.nft(MASQUERADE)
        yield made


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Iterator[Namespace]:
    """A container behind a bridge, which has copied the host's resolvers when it was started."""
    with Namespace("guest", private=True) as made:
        lab.client.ip(f"""
            link add docker0 type bridge
            addr add {BRIDGE4}/16 dev docker0
            addr add {BRIDGE6}/64 dev docker0 nodad
            link set docker0 up
        """)
        veth(made, "c0", lab.client, "port0")
        lab.client.ip("link set port0 master docker0")
        made.ip(f"""
            addr add {GUEST4}/16 dev c0
            addr add {GUEST6}/64 dev c0 nodad
            route add default via {BRIDGE4}
            route add default via {BRIDGE6}
        """)
        (made.root() / "etc/resolv.conf").unlink(missing_ok=True)
        (made.root() / "etc/resolv.conf").write_text(f"nameserver {ETH0.router4}\n", encoding="ascii")
        until(
            lambda: ask(made, (DNS4, 53), dns(), seconds=0.5) is not None, 5.0, "the container's packets are forwarded"
        )
        until(lambda: ask(made, (DNS6, 53), dns(), seconds=0.5) is not None, 5.0, "and those of IPv6")
        yield made


class Host:
    """The client's kill switch and routes, put in force as the helper does."""

    def __init__(self, lab: Lab, directory: Path, *, owned: bool) -> None:
        self._client = lab.client
        self.router = LinuxRouter(Journal(directory / "routes"))
        self.firewall = HostFirewall(lab.client, directory, owned=owned)

    def connect(self, policy: Tunnelled) -> None:
        """Block, route, let through."""
        self.firewall.apply(blocked())
        with self._client.entered():
            asyncio.run(self.router.apply(ROUTES))
        self.firewall.apply(policy)

    def disconnect(self) -> None:
        """Block, take the routes away, open."""
        self.firewall.apply(blocked())
        with self._client.entered():
            asyncio.run(self.router.apply(None))
        self.firewall.apply(Open())


@pytest.fixture(params=[True, False], ids=["owned", "plain"])
def host(lab: Lab, guest: Namespace, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    """The client, disconnected at the start and at the end."""
    del guest
    made = Host(lab, tmp_path, owned=request.param)
    yield made
    made.disconnect()
    made.firewall.firewall.close()


@pytest.fixture
def capture(lab: Lab) -> Iterator[Capture]:
    """What the client sends."""
    with Capture(lab.router, ["r-eth0"]) as made:
        yield made


def resolves(guest: Namespace) -> bool:
    """As the container's programs do it: by its resolv.conf."""
    return WEB4 in guest.run(["getent", "-s", "dns", "ahostsv4", "web.example.net"], check=False, timeout=40).stdout


def answers(guest: Namespace, whom: str) -> bool:
    """Whether a query over UDP is answered."""
    return ask(guest, (whom, 53), dns(), seconds=0.5) is not None


def ask_tcp(guest: Namespace, to: str) -> bool:
    """Whether a query over TCP is answered."""
    query = dns()
    with guest.entered(), socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET) as sock:
        sock.settimeout(5)
        sock.connect((to, 53))
        sock.sendall(len(query).to_bytes(2, "big") + query)
        return len(sock.recv(2048)) > 2


def test_a_container_from_before_resolves_through_the_tunnel(
    lab: Lab, guest: Namespace, host: Host, capture: Capture
) -> None:
    """In the open its own resolver is asked, while blocked nobody, connected the tunnel's in its place; then its own again."""
    assert resolves(guest)
    assert capture.reset().leaks["dns/udp"] > 0, "the positive control: the old resolver is asked in clear"
    host.firewall.apply(blocked())
    assert ask(guest, (ETH0.router4, 53), dns(), seconds=0.5) is None
    host.connect(connected())
    capture.reset()
    asked = len(lab.internet.seen().dns)
    assert resolves(guest)
    for old in (ETH0.router4, DNS4, DNS6):
        until(partial(answers, guest, old), 5.0, "it is answered")
        assert ask_tcp(guest, old)
    askers = {sender for sender, *_ in lab.internet.seen().dns[asked:]}
    assert askers == {GATEWAY4, GATEWAY6}
    tally = capture.reset()
    assert tally.total == 0, f"{tally} {tally.samples}"
    host.disconnect()
    assert resolves(guest)
    assert capture.reset().leaks["dns/udp"] > 0


def test_what_is_not_meant_for_others_goes_where_it_went(lab: Lab, guest: Namespace, host: Host) -> None:
    """The host's own resolver for its guests, a second one of the tunnel's, DNS over TLS, and the host's own questions."""
    host.connect(structs.replace(connected(), allow_lan=True))
    with lab.client.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dnsmasq:
        dnsmasq.bind((BRIDGE4, 53))
        dnsmasq.settimeout(5)
        with guest.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.sendto(dns(), (BRIDGE4, 53))
            assert dnsmasq.recvfrom(2048)[1][0] == GUEST4
    assert connect(guest, (DNS4, 853)) == errno.ECONNREFUSED
    assert ask(lab.client, (DNS4, 53), dns()) is None
    second = structs.replace(connected(), dns=(ip_address("10.9.0.77"), ip_address(TUNNEL4)))
    host.firewall.apply(second)
    until(partial(answers, guest, TUNNEL4), 5.0, "it is answered")
    assert ask(guest, (DNS4, 53), dns(), seconds=0.5) is None, "the first one is asked, and isn't there"


@pytest.mark.parametrize(
    "policy",
    [structs.replace(connected(), dns=()), structs.replace(connected(), only=(ip_network("192.0.2.0/24"),))],
    ids=["no resolver", "only"],
)
def test_without_a_resolver_for_everything_nothing_is_redirected(lab: Lab, host: Host, policy: Tunnelled) -> None:
    """The profile's resolver is asked in place of others only if there is one, and it is meant for all names."""
    host.connect(policy)
    assert "resolvers" not in lab.client.run("nft list table inet slopn").stdout


@contextlib.contextmanager
def asking(guest: Namespace, whom: str) -> Iterator[socket.socket]:
    """A program of the guest's that asks from one port again and again."""
    family = socket.AF_INET6 if ":" in whom else socket.AF_INET
    with guest.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        yield sock


def asks_on(sock: socket.socket, to: str) -> bool:
    """Whether a query from this very port is answered.

    Each may be lost: when the tunnel's address goes, the kernel forgets what was masqueraded by it, and takes its time.
    """
    sock.settimeout(0.5)
    try:
        sock.sendto(dns(), (to, 53))
        return len(sock.recv(2048)) > 2
    except TimeoutError:
        return False


@pytest.mark.parametrize("remembered", [True, False], ids=["remembered", "forgotten"])
@pytest.mark.parametrize("old", [DNS4, DNS6])
def test_a_program_that_keeps_its_port_is_answered_too(
    guest: Namespace, host: Host, monkeypatch: pytest.MonkeyPatch, old: str, remembered: bool
) -> None:
    """What the kernel remembers of a flow goes before every rule: unless it forgets, there is no answer while connected."""
    if remembered:
        monkeypatch.setattr(flows, "forget_dns", lambda _: 0)
    with asking(guest, old) as sock:
        until(lambda: asks_on(sock, old), 5.0, "it is answered")
        host.connect(connected())
        if remembered:
            assert not asks_on(sock, old)
        else:
            until(lambda: asks_on(sock, old), 5.0, "it is answered")
    with asking(guest, old) as sock:
        until(lambda: asks_on(sock, old), 5.0, "it is answered")
        host.disconnect()
        until(lambda: asks_on(sock, old), 5.0, "it is answered")


def test_what_a_killed_helper_left_is_forgotten_by_restore(lab: Lab, guest: Namespace, tmp_path: Path) -> None:
    """A flow into a tunnel that is gone is no better than its rules; here the container's address isn't masqueraded."""
    host = Host(lab, tmp_path, owned=True)
    host.connect(connected())
    lab.client.run("nft flush chain inet docker post")
    lab.gateway.ip(f"route add {GUEST4}/32 dev {FAR_INTERFACE}")
    with asking(guest, DNS4) as sock:
        until(lambda: asks_on(sock, DNS4), 5.0, "it is answered")
        host.firewall.firewall.close()
        with lab.client.entered():
            asyncio.run(host.router.apply(None))
        lab.client.nft("flush table inet docker\n" + MASQUERADE)
        with lab.client.entered():
            nft = Nft()
            for family in ("netdev", "inet"):
                nft.remove(family)
        assert not asks_on(sock, DNS4)
        with lab.client.entered():
            nftables.remove_all()
        until(lambda: asks_on(sock, DNS4), 5.0, "it is answered")


def test_a_kernel_without_nat_has_the_kill_switch_all_the_same(
    guest: Namespace, host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Then containers are refused as before, and the log says so once."""
    chains = ruleset.chains

    def refused(*args: object, **kwargs: object) -> tuple[ruleset.Chain, ...]:
        return tuple(
            chain._replace(rules=(("no such statement",),)) if chain.kind == "nat" else chain
            for chain in chains(*args, **kwargs)  # type: ignore[arg-type]
        )

    monkeypatch.setattr(ruleset, "chains", refused)
    for _ in range(2):
        host.connect(connected())
        assert host.firewall.drift() is None
        assert host.firewall.firewall.unguarded is None
        assert ask(guest, (DNS4, 53), dns(), seconds=0.5) is None
        until(partial(answers, guest, TUNNEL4), 5.0, "it is answered")
    assert caplog.text.count("can't ask the tunnel's resolver") == 1
