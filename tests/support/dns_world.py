"""A host with a LAN and a tunnel, a name server on each side, and the daemons that may rule its DNS."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from support.name_server import NameServer
from support.netns import Namespace, veth
from support.until import until

ROOT = Path(__file__).parents[2]
LAN, TUNNEL = "10.1.0.1", "10.9.0.1"
NAME = "www.example.net"
_BUS = """
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/>
    <allow send_destination="*"/> <allow receive_sender="*"/>
    <allow send_type="method_call"/> <allow send_type="signal"/>
  </policy>
</busconfig>
"""
ENV = {
    "PYTHONPATH": os.pathsep.join(sys.path),
    "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/dbus/system_bus_socket",
}


class DnsWorld:
    """The host `client` between two name servers; `asked` says which of them a program's look-up reaches."""

    def __init__(
        self, folder: Path, client: Namespace, tunnel: Namespace, lan_dns: NameServer, tun_dns: NameServer
    ) -> None:
        self.folder = folder
        self.client = client
        self.tunnel = tunnel
        self.lan_dns = lan_dns
        self.tunnel_dns = tun_dns
        self.journal = folder / "journal"
        self._names = 0

    def asked(self) -> tuple[str, ...]:
        """Who hears of a name, never asked before, that the C library of a program on the host looks up."""
        self._names += 1
        name = f"n{self._names}.example.net"
        for server in (self.lan_dns, self.tunnel_dns):
            server.records[name] = ("192.0.2.7",)
        self.client.run(["getent", "ahostsv4", name], check=False)
        heard = (("lan", self.lan_dns), ("tunnel", self.tunnel_dns))
        return tuple(who for who, server in heard if any(asked == name for _, asked, _ in server.asked))

    def resolv_conf(self) -> str:
        """The text that programs read, through a link too."""
        return self.client.run("cat /etc/resolv.conf", check=False).stdout

    def start_bus(self) -> None:
        """A system bus of the host's own."""
        self.client.run("mkdir -p /run/dbus; cat > /run/dbus/bus.conf", input=_BUS)
        self.client.popen(["dbus-daemon", "--nofork", "--nopidfile", "--config-file=/run/dbus/bus.conf"])
        socket = self.client.root() / "run/dbus/system_bus_socket"
        until(socket.exists, 10.0, "the private bus is up")

    def bring(self, package: str, *folders: str) -> None:
        """Put an unpacked package's files below /usr and /etc as if it were installed; the machine's stay untouched."""
        root = ROOT / ".cache" / package / "root"
        assert root.is_dir(), f"{root} is missing: run `make setup`"
        if "/usr overlay" not in self.client.run("cut -d' ' -f2,3 /proc/mounts | sed 's/^/x/;s/^x//'").stdout:
            self.client.run(
                "mkdir -p /run/.lab/usr /run/.lab/usrwork;"
                "mount -t overlay -o lowerdir=/usr,upperdir=/run/.lab/usr,workdir=/run/.lab/usrwork overlay /usr"
            )
        for folder in folders:
            # The merged /usr: what a package has in /sbin is found in /usr/sbin, and by either name.
            place = folder if folder == "etc" else f"usr/{folder}"
            self.client.run(
                f"mkdir -p /{place}; cp -a {root}/{folder}/. /{place}/; chown -R 0:0 /{place}/resolvconf* || true"
            )

    def process(self, die_at: int = 0) -> DnsProcess:
        """The helper's DNS in a process of its own."""
        return DnsProcess(self, die_at)

    def restore(self) -> list[str]:
        """What `slopn-helper restore` does about DNS, in a new process; a sentence for each thing that failed."""
        argv = [sys.executable, "-m", "support.dns_process", str(self.journal), "restore"]
        done = self.client.run(argv, env=ENV)
        found: list[str] = json.loads(done.stdout)
        return found


class DnsProcess:
    """`support.dns_process` in the host; ends with it."""

    def __init__(self, world: DnsWorld, die_at: int) -> None:
        self._log = (world.folder / "dns.log").open("ab")
        env = {**ENV, **({"DNS_DIE_AT": str(die_at)} if die_at else {})}
        argv = [sys.executable, "-m", "support.dns_process", str(world.journal)]
        self.process = world.client.popen(
            argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self.log = world.folder / "dns.log"
        self.changes: list[str] = []
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def do(self, word: str, **about: Any) -> Any:
        """Carry a command out and return its result. Raises `RuntimeError` with what it says, `EOFError` if it died."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": word, **about}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise EOFError from None
        answer = self._answers.get(timeout=60.0)
        if answer is None:
            raise EOFError
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def kill(self) -> None:
        """SIGKILL, as in a crash."""
        self.process.kill()
        self.process.wait()
        self._log.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self.process.stdout:
                answer = json.loads(line)
                if "change" in answer:
                    self.changes.append(answer["change"])
                else:
                    self._answers.put(answer)
        self._answers.put(None)


@contextlib.contextmanager
def dns_world(folder: Path) -> Iterator[DnsWorld]:
    """The host and its name servers, without any daemon; its uplink `eth0` has the LAN's, its tunnel is `slopn0`."""
    with (
        Namespace("client", private=True) as client,
        Namespace("lan") as lan,
        Namespace("tunnel") as tunnel,
    ):
        veth(client, "eth0", lan, "l0")
        lan.ip(f"addr add {LAN}/24 dev l0")
        client.ip(f"addr add 10.1.0.2/24 dev eth0\nroute add default via {LAN}")
        connect_tunnel(client, tunnel)
        client.run("rm -f /etc/resolv.conf; printf 'hosts: files dns\n' > /etc/nsswitch.conf")
        with NameServer(lan, LAN) as lan_dns, NameServer(tunnel, TUNNEL) as tunnel_dns:
            yield DnsWorld(folder, client, tunnel, lan_dns, tunnel_dns)


def connect_tunnel(client: Namespace, tunnel: Namespace) -> None:
    """A veth plays the TUN device: nobody here cares what kind of link it is."""
    veth(client, "slopn0", tunnel, "t0")
    tunnel.ip(f"addr add {TUNNEL}/24 dev t0")
    client.ip("addr add 10.9.0.2/24 dev slopn0")


class NetworkManager:
    """The real daemon on the host's private bus, with the uplink as a connection that brings the LAN's name server."""

    PROGRAM = ROOT / ".cache/network-manager/root/usr/sbin/NetworkManager"

    def __init__(self, world: DnsWorld, **main: str) -> None:
        """`main` are settings of NetworkManager.conf's section of that name, dashes written as underscores."""
        assert self.PROGRAM.exists(), f"{self.PROGRAM} is missing: run `make setup`"
        self.world = world
        settings: Mapping[str, str] = {
            "plugins": "keyfile", "dns": "default", "rc-manager": "symlink", "auth-polkit": "false",
            "no-auto-default": "*", "systemd-resolved": "false",
            **{key.replace("_", "-"): value for key, value in main.items()},
        }  # fmt: skip
        text = "[main]\n" + "".join(f"{key}={value}\n" for key, value in settings.items())
        text += "[keyfile]\nunmanaged-devices=interface-name:slopn0\n"
        world.client.run(
            "mkdir -p /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections /run/NetworkManager"
        )
        world.client.run(
            "mount -t tmpfs -o mode=755 tmpfs /var/lib; mkdir /var/lib/NetworkManager; mount -o remount,ro /sys"
        )
        world.client.run("cat > /etc/NetworkManager/NetworkManager.conf", input=text)
        world.client.run(
            "umask 077; cat > /etc/NetworkManager/system-connections/uplink.nmconnection",
            input=f"[connection]\nid=uplink\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=manual\n"
            f"address1=10.1.0.2/24,{LAN}\ndns={LAN};\n[ipv6]\nmethod=disabled\n",
        )
        # It takes an interface that is configured already for somebody else's.
        world.client.ip("addr flush dev eth0")
        self.start()

    def start(self) -> None:
        """Start it, and return once the connection is up."""
        log = (self.world.folder / "nm.log").open("ab")
        self.process = self.world.client.popen([str(self.PROGRAM), "--no-daemon"], env=ENV, stdout=log, stderr=log)
        log.close()
        marker = self.world.client.root() / "run/NetworkManager/resolv.conf"
        until(lambda: marker.exists() and "nameserver" in marker.read_text(), 30.0, "NetworkManager has the uplink")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        self.world.client.run("rm -f /run/NetworkManager/resolv.conf")

    def state(self) -> str:
        """Its state file, without comments."""
        there = self.world.client.run("cat /var/lib/NetworkManager/NetworkManager-intern.conf", check=False).stdout
        return "".join(line for line in there.splitlines(keepends=True) if line[0] != "#").strip()

    def set_global(self, text: str) -> None:
        """What the user sets by hand over D-Bus: `searches=…` or `servers=…` of all domains, comma-separated."""
        self.world.client.run([sys.executable, "-c", _SET_GLOBAL, text], env=ENV)


class Resolved:
    """The real systemd-resolved on the host's private bus, told of the LAN's name server, with resolv.conf its stub."""

    PROGRAM = "lib/systemd/systemd-resolved"
    PLACES = (Path("/usr", PROGRAM), ROOT / ".cache/systemd-resolved/root" / PROGRAM)

    def __init__(self, world: DnsWorld) -> None:
        self.world = world
        self.program = next((place for place in self.PLACES if place.exists()), None)
        assert self.program, "systemd-resolved is missing: run `make setup`"
        world.client.run("""
            grep -q ^systemd-resolve: /etc/passwd || echo 'systemd-resolve:x:990:990::/:/bin/false' >> /etc/passwd
            grep -q ^systemd-resolve: /etc/group || echo 'systemd-resolve:x:990:' >> /etc/group
            mkdir -p /run/systemd/resolve /etc/systemd; chown systemd-resolve: /run/systemd/resolve
            ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
            printf '[Resolve]\nDNSSEC=no\nFallbackDNS=\nLLMNR=no\nMulticastDNS=no\n' > /etc/systemd/resolved.conf
        """)
        self.start()
        self.tell()

    def start(self) -> None:
        """Start it, and return once it is on the bus."""
        log = (self.world.folder / "resolved.log").open("ab")
        env = {**ENV, "SYSTEMD_LOG_TARGET": "console"}
        self.process = self.world.client.popen([str(self.program)], env=env, stdout=log, stderr=log)
        log.close()
        ask = "import asyncio; from slopn_helper.host.dns import resolved; print(asyncio.run(resolved.is_running()))"
        asked = [sys.executable, "-c", ask]
        until(lambda: self.world.client.run(asked, env=ENV).stdout == "True\n", 30.0, "resolved is on the bus")

    def tell(self) -> None:
        """What a DHCP client tells it about the uplink."""
        self.world.client.run([sys.executable, "-c", _TELL_RESOLVED, LAN], env=ENV)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


_TELL_RESOLVED = """
import asyncio, socket, sys
from ipaddress import ip_address
from slopn_helper.host.dns import bus, resolved
async def main():
    index = socket.if_nametoindex("eth0")
    async with bus.connection("test") as link:
        servers = [resolved._packed(ip_address(sys.argv[1]))]
        await bus.call(link, resolved.MANAGER, "SetLinkDNS", "ia(iay)", index, servers)
        await bus.call(link, resolved.MANAGER, "SetLinkDefaultRoute", "ib", index, True)
asyncio.run(main())
"""

_SET_GLOBAL = """
import asyncio, sys
from dbus_fast import Variant
from slopn_helper.host.dns import bus, networkmanager as nm
from slopn_helper.host.journal import DomainDns
async def main():
    async with bus.connection("test") as link:
        await nm._set(link, nm.GlobalDns((), (), {"*": DomainDns(tuple(sys.argv[1].split(",")))}))
asyncio.run(main())
"""
