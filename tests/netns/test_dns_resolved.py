from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper.host.dns import bus, resolved, upstream
from slopn_helper.host.dns.manager import DnsManager
from slopn_helper.host.dns.resolved import ResolvedDns
from slopn_helper.host.journal import Journal
from slopn_helper.host.resolver import ResolveError, resolve
from slopn_helper.host.restore import restore
from slopn_wire.profile import DnsConfig
from support.internet import Internet
from support.netns import Namespace, veth
from support.until import until

TUN = "slopn0"
NAME, OTHER_NAME = "gateway.example.net", "nobody.example.org"
LAN_SERVER, TUNNEL_SERVER = ip_address("10.1.0.1"), ip_address("10.9.0.1")
CONFIG = DnsConfig((TUNNEL_SERVER,))
STUB = ip_address("127.0.0.53")

_CACHE = Path(__file__).parents[2] / ".cache/systemd-resolved"
_PLACES = ("usr/lib/systemd/systemd-resolved", "lib/systemd/systemd-resolved")

_BUS = """
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/>
    <allow send_destination="*"/> <allow receive_sender="*"/>
    <allow send_type="method_call"/> <allow send_type="signal"/>
  </policy>
</busconfig>
"""


def resolved_binary() -> Path:
    """The real systemd-resolved: the host's, or out of the distribution's package.

    The package can't simply be installed for a test: on Debian its postinst takes over the machine's /etc/resolv.conf.
    """
    for root in (Path("/"), _CACHE / "root"):
        for place in _PLACES:
            if (root / place).exists():
                return root / place
    fetched = _CACHE / f"fetch-{os.getpid()}"
    fetched.mkdir(parents=True)
    try:
        subprocess.run(["apt-get", "-qq", "download", "systemd-resolved"], cwd=fetched, check=True, capture_output=True)
        (package,) = fetched.glob("*.deb")
        subprocess.run(["dpkg", "-x", package, fetched / "root"], check=True)
        (fetched / "root").rename(_CACHE / "root")
    except (subprocess.CalledProcessError, ValueError) as error:
        said = getattr(error, "stderr", b"") or b""
        pytest.fail(f"systemd-resolved is not here and can't be fetched: {said.decode()}", pytrace=False)
    finally:
        shutil.rmtree(fetched)
    return resolved_binary()


class Host:
    """A client with the real systemd-resolved on a private bus, a LAN with a DNS server and a tunnel with another."""

    def __init__(
        self, folder: Path, client: Namespace, tunnel: Namespace, lan_dns: Internet, tunnel_dns: Internet
    ) -> None:
        self.folder = folder
        self.client = client
        self.tunnel = tunnel
        self.lan_dns = lan_dns
        self.tunnel_dns = tunnel_dns
        self.journal = Journal(folder / "journal")
        self.dns = ResolvedDns(self.journal)

    def run(self, scenario: Callable[[], Awaitable[object]]) -> None:
        """Run it inside the client."""

        async def main() -> None:
            await scenario()

        with self.client.entered():
            asyncio.run(main())

    async def asked(self, name: str = NAME) -> tuple[str, ...]:
        """Who is asked when a program of the client looks the name up."""
        before = len(self.lan_dns.seen().dns), len(self.tunnel_dns.seen().dns)
        with contextlib.suppress(ResolveError):
            await resolve(name, [STUB], None, timeout=20.0)
        after = len(self.lan_dns.seen().dns), len(self.tunnel_dns.seen().dns)
        return tuple(who for who, a, b in zip(("lan", "tunnel"), before, after, strict=True) if b > a)

    async def dhcp(self) -> None:
        """What a DHCP client or NetworkManager tells resolved about the uplink."""
        index = int(self.client.run("cat /sys/class/net/eth0/ifindex").stdout)
        async with bus.connection("test") as link:
            await bus.call(link, resolved.MANAGER, "SetLinkDNS", "ia(iay)", index, [resolved._packed(LAN_SERVER)])
            await bus.call(link, resolved.MANAGER, "SetLinkDefaultRoute", "ib", index, True)


def connect_tunnel(client: Namespace, tunnel: Namespace) -> None:
    """A veth plays the TUN device: resolved doesn't care what kind of link it is."""
    veth(client, TUN, tunnel, "t0")
    tunnel.ip("addr add 10.9.0.1/24 dev t0")
    client.ip(f"addr add 10.9.0.2/24 dev {TUN}")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The host, with resolved up and the uplink known to it."""
    binary = resolved_binary()
    with (
        tempfile.TemporaryDirectory(prefix="slopn-bus-") as public,
        Namespace("client", private=True) as client,
        Namespace("lan") as lan,
        Namespace("tunnel") as tunnel,
    ):
        # resolved drops its privileges before it connects to the bus.
        Path(public).chmod(0o755)
        socket = Path(public) / "bus"
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={socket}")
        (tmp_path / "bus.conf").write_text(_BUS.format(path=socket))
        veth(client, "eth0", lan, "l0")
        lan.ip("addr add 10.1.0.1/24 dev l0")
        client.ip("addr add 10.1.0.2/24 dev eth0\nroute add default via 10.1.0.1")
        connect_tunnel(client, tunnel)
        client.run("""
            grep -q ^systemd-resolve: /etc/passwd || echo 'systemd-resolve:x:990:990::/:/bin/false' >> /etc/passwd
            grep -q ^systemd-resolve: /etc/group || echo 'systemd-resolve:x:990:' >> /etc/group
            mkdir -p /run/systemd/resolve; chown systemd-resolve: /run/systemd/resolve
            ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
            mkdir -p /etc/systemd; printf '[Resolve]\nDNSSEC=no\nFallbackDNS=\nLLMNR=no\nMulticastDNS=no\n' > /etc/systemd/resolved.conf
        """)
        client.popen(["dbus-daemon", "--nofork", f"--config-file={tmp_path}/bus.conf"])
        until(socket.exists, 10.0, "the private bus is up")
        socket.chmod(0o777)
        log = (tmp_path / "resolved.log").open("wb")
        env = {"SYSTEMD_LOG_TARGET": "console", "SYSTEMD_LOG_LEVEL": "info"}
        daemon = client.popen([str(binary)], env=env, stdout=log, stderr=log)
        log.close()
        with (
            Internet(lan, tmp_path / "lan.sock", ("10.1.0.1",)) as lan_dns,
            Internet(tunnel, tmp_path / "tunnel.sock", ("10.9.0.1",)) as tunnel_dns,
        ):
            lan_dns.wait_ready()
            tunnel_dns.wait_ready()
            made = Host(tmp_path, client, tunnel, lan_dns, tunnel_dns)

            def up() -> bool:
                assert daemon.poll() is None, (tmp_path / "resolved.log").read_text()
                return asyncio.run(resolved.is_running())

            until(up, 20.0, "systemd-resolved is on the bus")
            made.run(made.dhcp)
            yield made


def test_all_names_go_to_the_tunnel_and_back_to_the_lan(host: Host) -> None:
    """Before us the LAN's server is asked, with us the tunnel's alone, afterwards the LAN's again; no cache in between."""

    async def scenario() -> None:
        assert await host.asked() == ("lan",)
        for _ in range(2):
            await host.dns.apply(TUN, CONFIG)
            assert await host.dns.drift() is None
            assert await host.asked() == ("tunnel",)
            assert await host.asked(OTHER_NAME) == ("tunnel",)
        await host.dns.reset()
        await host.dns.reset()
        assert await host.asked() == ("lan",)
        assert host.journal.entries() == ()

    host.run(scenario)


def test_split_dns_sends_only_what_matches(host: Host) -> None:
    """With `match` the other names still go to the LAN's server."""

    async def scenario() -> None:
        await host.dns.apply(TUN, DnsConfig(CONFIG.servers, match=("example.net",)))
        assert await host.dns.drift() is None
        assert await host.asked() == ("tunnel",)
        assert await host.asked(OTHER_NAME) == ("lan",)

    host.run(scenario)


def test_settings_die_with_the_device_and_are_made_again(host: Host) -> None:
    """A TUN that was made anew has no DNS: drift says so, and applying again repairs it."""

    async def scenario() -> None:
        await host.dns.apply(TUN, CONFIG)
        host.client.ip(f"link del {TUN}")
        assert await host.dns.drift() == f"the interface {TUN} is gone"
        connect_tunnel(host.client, host.tunnel)
        assert await host.asked() == ("lan",)
        assert await host.dns.drift() == f"resolved asks nobody through {TUN}"
        await host.dns.apply(TUN, CONFIG)
        assert await host.asked() == ("tunnel",)

    host.run(scenario)


def test_somebody_elses_change_is_drift(host: Host) -> None:
    """Another program that sets our link's DNS or domains is named."""

    async def scenario() -> None:
        index = int(host.client.run(f"cat /sys/class/net/{TUN}/ifindex").stdout)
        await host.dns.apply(TUN, CONFIG)
        async with bus.connection("test") as link:
            await bus.call(link, resolved.MANAGER, "SetLinkDomains", "ia(sb)", index, [["other.example", False]])
            assert await host.dns.drift() == f"resolved has other domains for {TUN}"
            await bus.call(link, resolved.MANAGER, "SetLinkDNS", "ia(iay)", index, [resolved._packed(LAN_SERVER)])
            assert await host.dns.drift() == f"resolved asks 10.1.0.1 through {TUN}"
        await host.dns.apply(TUN, CONFIG)
        assert await host.dns.drift() is None

    host.run(scenario)


def test_the_upstream_servers_are_never_our_own(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """While connected the host's own resolvers can still be told from the tunnel's."""
    monkeypatch.setattr(upstream, "RESOLVED_UPLINKS", host.folder / "none")

    async def scenario() -> None:
        assert await upstream.upstream(host.journal, TUN, host.folder / "none") == (LAN_SERVER,)
        await host.dns.apply(TUN, CONFIG)
        assert set(await resolved.servers(without="eth0")) == {TUNNEL_SERVER}
        assert await upstream.upstream(host.journal, TUN, host.folder / "none") == (LAN_SERVER,)

    host.run(scenario)


def test_a_killed_helper_is_cleaned_up_after(host: Host) -> None:
    """What the journal of a dead process holds is enough to give the LAN its DNS back."""

    async def scenario() -> None:
        await host.dns.apply(TUN, CONFIG)
        assert await host.asked() == ("tunnel",)
        assert await restore(Journal(host.folder / "journal")) == []
        assert await host.asked() == ("lan",)

    host.run(scenario)


def test_the_manager_finds_resolved_by_itself(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """With the stub in resolv.conf and resolved on the bus it is chosen, and the file is not touched."""
    path = host.folder / "resolv.conf"
    path.write_text("nameserver 127.0.0.53\n")

    async def scenario() -> None:
        manager = DnsManager(host.journal, path)
        with caplog.at_level("INFO"):
            await manager.apply(TUN, CONFIG)
        assert manager.name == "resolved"
        assert manager.supports_split
        assert any("bus=yes" in r.message and "-> resolved" in r.message for r in caplog.records)
        assert await host.asked() == ("tunnel",)
        assert await manager.upstream(TUN) == (LAN_SERVER,)
        await manager.reset()
        assert await host.asked() == ("lan",)

    host.run(scenario)
    assert path.read_text() == "nameserver 127.0.0.53\n"
