from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.echo import EchoStream
from support.gateway import CLIENT4, CLIENT6, TUNNEL4, Gateway
from support.helper_process import BIN
from support.topology import ETH0, GATEWAY4, GATEWAY6, WEB4, WEB6, WEB_NAME, WLAN0, Lab
from support.until import until

MARK = 51820


@pytest.fixture(scope="module")
def tunnel() -> Iterator[tuple[Lab, Gateway]]:
    """A lab whose client has a tunnel set up by hand: the engine, wg(8) and two policy rules, no helper."""
    with Lab() as lab, Gateway(lab) as gateway:
        client = lab.client
        client.popen([str(BIN / "slopn-engine"), "-f", "slopn0"])
        until(lambda: client.run("wg show slopn0", check=False).returncode == 0, 15.0, "the client's engine answers")
        configure(lab, gateway)
        client.sysctl({"net/ipv4/conf/all/src_valid_mark": "1"})
        client.ip(f"""
            addr add {CLIENT4}/32 dev slopn0
            addr add {CLIENT6}/128 dev slopn0 nodad
            link set slopn0 mtu 1420 up
            route add default dev slopn0 table {MARK}
            route add ::/0 dev slopn0 table {MARK}
            rule add not fwmark {MARK} lookup {MARK} priority 100
            -6 rule add not fwmark {MARK} lookup {MARK} priority 100
        """)
        yield lab, gateway


def configure(lab: Lab, gateway: Gateway) -> None:
    """Give the client's engine its keys and its peer anew, without any session."""
    lines = [line for line in gateway.config().splitlines() if not line.startswith(("Address", "DNS"))]
    lab.client.run(["wg", "set", "slopn0", "peer", gateway.keys.public, "remove"])
    lab.client.run(["wg", "setconf", "slopn0", "/dev/stdin"], input="\n".join(lines))
    lab.client.run(["wg", "set", "slopn0", "fwmark", str(MARK)])


def test_web_sees_the_gateway(tunnel: tuple[Lab, Gateway]) -> None:
    """Through the tunnel both families leave by the gateway's addresses, and DNS inside it answers."""
    lab, gateway = tunnel
    assert GATEWAY4 in lab.client.run(["curl", "-sm5", f"http://{WEB4}/"]).stdout
    assert GATEWAY6 in lab.client.run(["curl", "-sm5", f"http://[{WEB6}]/"]).stdout
    assert lab.client.run(["dig", "+short", "+time=2", f"@{TUNNEL4}", WEB_NAME]).stdout.strip() == WEB4
    assert {sender for sender, _, _ in lab.internet.seen().dns} == {GATEWAY4}
    seen = gateway.client()
    assert seen.endpoint is not None
    assert seen.endpoint.startswith(f"{ETH0.client4}:")
    assert seen.last_handshake
    assert seen.rx_bytes
    assert seen.tx_bytes


def test_real_tunnel_traffic_is_no_leak(tunnel: tuple[Lab, Gateway]) -> None:
    """What a real engine sends, a whole download long, is WireGuard to the classifier: no class but MLD is counted."""
    lab, _ = tunnel
    with lab.capture() as capture:
        lab.client.run(["curl", "-sm30", "-o", "/dev/null", f"http://{WEB4}/file"])
        tally = capture.reset()
    assert set(tally.leaks) <= {"multicast/mld"}, tally
    assert tally.allowed_by_device[ETH0.router_device] > 20


def test_echo_stream_measures_the_outage_of_a_pulled_cable(tunnel: tuple[Lab, Gateway]) -> None:
    """The stream goes on over the other uplink, and its longest gap is the time that the cable move took."""
    lab, gateway = tunnel
    with EchoStream(lab.client, WEB4) as echo:
        echo.wait_answer(time.monotonic(), 5.0, "the first answer")
        begun = time.monotonic()
        lab.router.ip(f"link set {WLAN0.router_device} down\nlink set {ETH0.router_device} down")
        dead_until = begun + 0.3
        until(lambda: time.monotonic() > dead_until, 5.0, "the outage is long enough to be seen")
        lab.router.ip(f"link set {WLAN0.router_device} up")
        lab.pull("eth0")
        echo.wait_answer(dead_until, 10.0, "answers over the other uplink")
        assert echo.longest_gap(begun) >= 0.3
        until(
            lambda: (gateway.client().endpoint or "").startswith(f"{WLAN0.client4}:"), 5.0, "the gateway sees the move"
        )
        lab.plug("eth0")
        until(lambda: (gateway.client().endpoint or "").startswith(f"{ETH0.client4}:"), 5.0, "the gateway sees it back")


def test_stopped_gateway_is_silent(tunnel: tuple[Lab, Gateway]) -> None:
    """Once the gateway's engine is dead nothing comes through, though its host answers; started again, it all works."""
    lab, gateway = tunnel
    gateway.stop()
    lab.client.run(["ping", "-c1", "-W2", "-m", str(MARK), GATEWAY4])
    assert lab.client.run(["curl", "-sm1", f"http://{WEB4}/"], check=False).returncode != 0
    gateway.start()
    configure(lab, gateway)
    lab.client.run(["ping", "-c1", "-w10", "-W2", TUNNEL4])
    until(lambda: gateway.client().last_handshake, 10.0, "a new handshake")
