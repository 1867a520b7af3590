"""What goes through the tunnel, and what doesn't: as the far end, the routes and the resolver see it."""

from __future__ import annotations

import pytest

from support.gateway import CLIENT4, TUNNEL4
from support.scene import Scene
from support.topology import DNS4, ETH0, GATEWAY4, GATEWAY6, GATEWAY_PORT, WEB4, WEB_NAME

ALL = "AllowedIPs = 0.0.0.0/0, ::/0"
WITHOUT_PEER_ROUTES = {"Table = off": "off", "Table = 77": "77"}


def _changed(config: str, *, interface: str = "", allowed: str | None = None) -> str:
    """The profile with another line in its first section, or other AllowedIPs."""
    config = config.replace("[Interface]\n", f"[Interface]\n{interface}\n" if interface else "[Interface]\n")
    return config.replace(ALL, f"AllowedIPs = {allowed}") if allowed else config


@pytest.mark.leak
@pytest.mark.parametrize("host", [GATEWAY4, f"[{GATEWAY6}]"], ids=["IPv4 endpoint", "IPv6 endpoint"])
def test_everything_goes_through_the_tunnel(scene: Scene, host: str) -> None:
    """Both families and DNS reach the internet as the gateway's; on the cable there is WireGuard alone."""
    scene.add_profile(scene.gateway.config(endpoint=f"{host}:{GATEWAY_PORT}"))
    assert scene.visitor() == ETH0.client4
    assert scene.capture.reset().total > 0, "the capture must see traffic that goes out directly"
    scene.connect()
    asked = len(scene.lab.internet.seen().dns)
    scene.capture.reset()
    assert scene.visitor() == GATEWAY4
    assert scene.visitor(six=True) == GATEWAY6
    assert scene.lab.client.run(["getent", "ahostsv4", WEB_NAME]).stdout.startswith(WEB4)
    assert {sender for sender, _, _ in scene.lab.internet.seen().dns[asked:]} == {GATEWAY4}
    tally = scene.capture.tally()
    assert tally.total == 0, f"{tally} {tally.samples}"
    assert tally.allowed_by_device[ETH0.router_device] > 0


def test_only_the_allowed_ips_are_routed(scene: Scene) -> None:
    """A split tunnel without a kill switch: its networks through the tunnel, the rest directly."""
    scene.setting("kill_switch", "off")
    scene.add_profile(_changed(scene.gateway.config(dns=False), allowed="198.51.100.0/24, 10.9.0.0/24"))
    scene.connect()
    assert scene.visitor() == GATEWAY4
    assert scene.visitor(six=True) == ETH0.client6
    assert scene.lab.client.run("ip -4 route get 203.0.113.77").stdout.split()[4] == "eth0"


@pytest.mark.parametrize("line", WITHOUT_PEER_ROUTES)
def test_a_table_of_ones_own(scene: Scene, line: str) -> None:
    """`Table = off`: no routes at all. A number: routes in that table alone, and no rule that leads there."""
    table = WITHOUT_PEER_ROUTES[line]
    scene.setting("kill_switch", "off")
    rules = scene.lab.client.run("ip rule; ip -6 rule").stdout
    scene.add_profile(_changed(scene.gateway.config(dns=False), interface=line))
    scene.connect()
    assert scene.visitor() == ETH0.client4
    assert scene.lab.client.run("ip rule; ip -6 rule").stdout == rules
    routes = scene.lab.client.run("ip -4 route show table all; ip -6 route show table all").stdout.splitlines()
    ours = [route for route in routes if "slopn0" in route and "table local" not in route and CLIENT4 not in route]
    assert {"table 77" in route for route in ours} == ({True} if table == "77" else set()), ours
    # Who wants it can use the tunnel all the same: the device, the address and the session are there.
    asked = ["curl", "-sS", "-m", "5", "--interface", "slopn0", f"http://{WEB4}/"]
    if table == "77":
        scene.lab.client.ip("rule add oif slopn0 table 77 priority 90")
        try:
            assert GATEWAY4 in scene.lab.client.run(asked).stdout
        finally:
            scene.lab.client.ip("rule del oif slopn0 table 77 priority 90")


def test_a_profile_without_dns_leaves_the_resolvers_alone(scene: Scene) -> None:
    """resolv.conf stays untouched, and status claims none."""
    resolv_conf = scene.lab.client.root() / "etc/resolv.conf"
    before = resolv_conf.read_bytes()
    scene.add_profile(scene.gateway.config(dns=False))
    scene.connect()
    assert resolv_conf.read_bytes() == before
    assert scene.status()["dns"] == []


def test_with_dns_only_the_tunnels_resolver_is_asked(scene: Scene) -> None:
    """resolv.conf names it alone; another resolver is refused, through the tunnel as well as beside it."""
    scene.add_profile(scene.gateway.config())
    scene.connect()
    lines = (scene.lab.client.root() / "etc/resolv.conf").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [f"nameserver {TUNNEL4}"]

    def asked() -> list[tuple[str, str, str]]:
        # The helper's own question, whether the tunnel's resolver answers, is for the root's name servers and comes when it comes.
        return [question for question in scene.lab.internet.seen().dns if question[1] == WEB_NAME]

    before = asked()
    for server in (DNS4, ETH0.router4):
        done = scene.lab.client.run(["dig", "+tries=1", "+time=1", f"@{server}", WEB_NAME], check=False)
        assert done.returncode != 0, done.stdout
    assert asked() == before


@pytest.mark.parametrize(("line", "mtu"), [("MTU = 1300", 1300), ("", 1420)], ids=["given", "80 below the network's"])
def test_mtu(scene: Scene, line: str, mtu: int) -> None:
    """The interface has it; full packets of that size pass both ways, one byte more doesn't."""
    scene.add_profile(_changed(scene.gateway.config(), interface=line))
    scene.connect()
    assert f"mtu {mtu} " in scene.lab.client.run("ip -o link show slopn0").stdout
    for size, passes in ((mtu - 28, True), (mtu - 27, False)):
        ping = ["ping", "-c1", "-W5", "-Mdo", f"-s{size}", WEB4]
        assert (scene.lab.client.run(ping, check=False).returncode == 0) is passes
