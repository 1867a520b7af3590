from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.capture import Capture
from support.fingerprint import differences, fingerprint
from support.generator import CLASSES, Generator
from support.netns import Namespace, veth
from support.topology import DNS4, ETH0, GATEWAY4, GATEWAY6, WEB4, WEB6, WEB_NAME, WLAN0, Lab
from support.until import until

HOST_RESOLV = Path("/etc/resolv.conf")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One lab for the tests that leave it as they found it."""
    with Lab() as made:
        yield made


def test_client_reaches_web_and_gateway_in_clear(lab: Lab) -> None:
    """Without a tunnel the web server sees the client's own addresses, and the gateway answers both families."""
    assert ETH0.client4 in lab.client.run(["curl", "-sm5", f"http://{WEB4}/"]).stdout
    assert ETH0.client6 in lab.client.run(["curl", "-sm5", f"http://[{WEB6}]/"]).stdout
    lab.client.run(["ping", "-c1", "-W2", GATEWAY4])
    lab.client.run(["ping", "-c1", "-W2", GATEWAY6])


def test_file_arrives_whole_and_is_counted(lab: Lab) -> None:
    """The 50 MB file has the digest that the server says, and the server knows who fetched how much."""
    before = lab.internet.seen()
    data = subprocess.run(
        lab.client.command(["curl", "-sm20", f"http://{WEB4}/file"]), check=True, capture_output=True
    ).stdout
    assert hashlib.sha256(data).hexdigest() == before.sha256
    until(
        lambda: (
            lab.internet.seen().count("http_file_bytes", ETH0.client4)
            == before.count("http_file_bytes", ETH0.client4) + before.size
        ),
        5.0,
        "the server has counted the file",
    )


def test_names_resolve_by_the_routers_dns(lab: Lab) -> None:
    """The client's own resolv.conf points at the router, and the internet's DNS sees who asked."""
    found = lab.client.run(["getent", "ahostsv4", WEB_NAME]).stdout
    assert found.startswith(WEB4)
    assert (ETH0.client4, WEB_NAME, "A") in lab.internet.seen().dns
    assert "SERVFAIL" not in lab.client.run(["dig", "+tcp", "+time=2", f"@{DNS4}", WEB_NAME]).stdout


def test_capture_sees_every_class_of_leak(lab: Lab) -> None:
    """Without protection every class that the generator sends is counted, on both uplinks: the positive control."""
    with lab.capture() as capture, Generator(lab.client, lab.uplinks) as generator:
        until(lambda: set(capture.tally().leaks) >= CLASSES, 10.0, f"all of {sorted(CLASSES)} are seen")
        tally = capture.tally()
        tried = generator.stop()
    assert set(tally.by_device) == {ETH0.router_device, WLAN0.router_device}
    assert all(tried.values())


def test_packet_sockets_are_seen_too(lab: Lab) -> None:
    """A frame made by hand reaches the capture like any other."""
    with (
        Capture(lab.router, [WLAN0.router_device]) as capture,
        Generator(lab.client, [WLAN0], packet=True, rounds_per_second=5),
    ):

        def made_by_hand() -> bool:
            frames = [bytes.fromhex(sample) for sample in capture.reset().samples.get("packet/udp", [])]
            return any(frame[26:30] == bytes((192, 0, 2, 99)) for frame in frames)

        until(made_by_hand, 10.0, "a frame with the hand-made source address")


def test_silence_is_no_leak(lab: Lab) -> None:
    """Ping the gateway's neighbourhood by ARP and NDP only: the capture counts frames, but no leak."""
    with lab.capture() as capture:
        lab.client.run("ip neigh flush dev eth0; ip -6 neigh flush dev eth0", check=False)
        lab.client.run(["ping", "-c1", "-W2", ETH0.router4])
        tally = capture.reset()
        # The kernel repeats its MLD reports for a while after an address came (RFC 3810), whenever it likes.
        assert set(tally.leaks) - {"multicast/mld"} == {"lan/icmp"}
        assert tally.frames > tally.total


def test_pulled_cable_moves_traffic_to_the_other_uplink_and_back() -> None:
    """A pulled cable takes its addresses and routes along, the other uplink carries on, and plugging in undoes it all."""
    with Lab(gateway=False) as lab:
        before = fingerprint(lab.client)
        lab.pull("eth0")
        assert differences(before, fingerprint(lab.client))
        assert WLAN0.client4 in lab.client.run(["curl", "-sm5", f"http://{WEB4}/"]).stdout
        with lab.capture() as capture:
            lab.client.run(["ping", "-c1", "-W2", WEB4])
            assert_by(capture, WLAN0.router_device)
            lab.plug("eth0")
            capture.reset()
            lab.client.run(["ping", "-c1", "-W2", WEB4])
            assert_by(capture, ETH0.router_device)
        assert differences(before, fingerprint(lab.client)) == []


def assert_by(capture: Capture, device: str) -> None:
    """Traffic was seen at `device` alone, but for the kernel's own MLD reports, which it repeats whenever it likes."""
    tally = capture.tally()
    seen = dict(tally.by_device)
    assert seen.pop(device, 0) > 0
    assert sum(seen.values()) <= tally.leaks.get("multicast/mld", 0)


def test_private_etc_can_be_renamed_over_and_stays_private() -> None:
    """resolv.conf can be replaced by rename inside a private namespace, and the machine's own does not change."""
    machine = HOST_RESOLV.read_bytes()
    with Namespace("client", private=True) as client:
        client.run("echo nameserver 192.0.2.1 >/etc/new; mv /etc/new /etc/resolv.conf; touch /run/mine /etc/mine")
        assert (client.root() / "etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n"
        assert client.run(["ls", "/run/mine", "/etc/mine"]).returncode == 0
        assert not (client.root() / "run/dbus").exists()
    assert HOST_RESOLV.read_bytes() == machine
    assert not Path("/etc/mine").exists()
    assert not Path("/run/mine").exists()


def test_fingerprint_sees_every_kind_of_change() -> None:
    """Rules, policy rules, routes, addresses, sysctls, resolv.conf and files below a folder: a change of each is named."""
    changes = {
        "nft ruleset": "nft add table inet slopn",
        "policy rules, IPv4": "ip rule add fwmark 7 lookup 77",
        "policy rules, IPv6": "ip -6 rule add fwmark 7 lookup 77",
        "routes, IPv4": "ip route add unreachable 192.0.2.0/24 table 77",
        "routes, IPv6": "ip -6 route add unreachable 2001:db8::/32 table 77",
        "links": "ip link add d0 type veth peer name d1",
        "addresses": "ip addr add 192.0.2.1/32 dev lo",
        "sysctls": "sysctl -qw net.ipv4.conf.all.src_valid_mark=1",
        "resolv.conf": "chmod 600 /etc/resolv.conf",
        "files below /etc/slopn": "mkdir -p /etc/slopn; echo x >/etc/slopn/y",
    }
    with Namespace("client", private=True) as client:
        for title, command in changes.items():
            before = fingerprint(client, ["/etc/slopn"])
            client.run(command)
            found = differences(before, fingerprint(client, ["/etc/slopn"]))
            assert any(line.startswith(f"{title}: ") for line in found), (title, found)


def test_closing_kills_what_was_left_behind() -> None:
    """Grandchildren that no one waits for are gone with the namespace."""
    with Namespace("client") as client:
        client.popen("sleep 1000 & exec sleep 1000")
        pids = until(lambda: found if len(found := client.pids()) >= 2 else set(), 5.0, "both sleeps run")
    assert not any(_runs(pid) for pid in pids)
    assert not client.path.exists()


def test_namespaces_of_a_killed_test_run_are_swept() -> None:
    """A test run killed by SIGKILL leaves namespaces and processes behind; the next one removes them."""
    script = (
        "import sys, time\nfrom support.netns import Namespace\nn = Namespace('client').__enter__()\n"
        "p = n.popen(['sleep', '1000'])\nprint(n.name, p.pid, flush=True)\ntime.sleep(1000)"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        name, pid = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
    assert Path("/run/netns", name).exists()
    folder = Path(tempfile.gettempdir(), f"{name}-helper")
    folder.mkdir()
    subprocess.run([sys.executable, "-c", "from support.netns import sweep; sweep()"], check=True, env=env)
    assert not Path("/run/netns", name).exists()
    assert not folder.exists()
    assert not _runs(int(pid))


def test_threads_enter_a_namespace_alone() -> None:
    """`entered` moves the calling thread and brings it back, also after an error."""
    before = Path("/proc/thread-self/ns/net").readlink()
    with Namespace("a") as a, Namespace("b") as b:
        veth(a, "x0", b, "x1")
        with contextlib.suppress(ZeroDivisionError), a.entered():
            assert Path("/proc/thread-self/ns/net").readlink() != before
            _ = 1 // 0
        assert Path("/proc/thread-self/ns/net").readlink() == before


def _runs(pid: int) -> bool:
    """Whether a process lives; one that is dead and not yet collected by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
