"""A client with the real helper, enrolled at several gateways, each in a namespace of its own; and a capture of what leaks."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure
from slopn_helper.secrets import ProfileSecrets, Secret
from slopn_helper.store import Store
from slopn_wire.profile import Endpoint, EnrolledGateway, Enrolment, Peer, PostQuantum, Profile
from support.capture import Capture
from support.far_end import CLIENT4, CLIENT6, INTERFACE, TUNNEL4, TUNNEL6, Spec
from support.gateway import Keys
from support.helper_process import HelperProcess
from support.netns import Namespace, veth
from support.topology import Lab
from support.until import Expired, until
from support.watched import Watched

PROFILE = "fleet"
PORT = 51820
_TESTS = Path(__file__).resolve().parents[1]


class FarEnd:
    """One gateway, `number` from 0; it answers at `address` while it is started."""

    def __init__(self, number: int, lab: Lab, client: str) -> None:
        self.number = number
        self.namespace = Namespace(f"gw{number}")
        self.keys = Keys.new()
        self.address = f"203.0.113.{20 + number}"
        self._lab = lab
        self._client = client
        self._process: subprocess.Popen[Any] | None = None

    def connect(self) -> None:
        """A cable to the router, and NAT."""
        device, net = f"r-gw{self.number}", f"192.0.2.{100 + 4 * self.number}"
        there, here = net, f"192.0.2.{101 + 4 * self.number}"
        veth(self.namespace, "wan0", self._lab.router, device)
        self.namespace.ip(f"""
            addr add {here}/31 dev wan0
            addr add {self.address}/32 dev wan0
            route add default via {there} src {self.address}
        """)
        self.namespace.sysctl({"net/ipv4/ip_forward": "1"})
        self.namespace.nft(f"""
            table ip lab {{
              chain postrouting {{
                type nat hook postrouting priority srcnat
                iifname "{INTERFACE}" oifname "wan0" snat to {self.address}
              }}
              chain inside {{
                type filter hook prerouting priority -300
                iifname "{INTERFACE}" udp sport 17768 udp dport 17768 accept
                iifname "{INTERFACE}" counter
              }}
            }}
        """)
        self._lab.router.ip(f"""
            addr add {there}/31 dev {device}
            route add {self.address}/32 via {here}
        """)

    def start(self, *, post_quantum: bool = True) -> None:
        """Up; what it knew before is gone."""
        spec = Spec(self.keys.private, self._client, PORT, post_quantum)
        argv = [sys.executable, "-m", "support.far_end", msgspec.json.encode(spec).decode()]
        with self._log().open("ab") as log:
            self._process = self.namespace.popen(
                argv, env={"PYTHONPATH": str(_TESTS)}, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", self._log().read_text()

    def kill(self) -> None:
        """Gone without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def heard(self) -> int:
        """Packets out of the tunnel so far, the agreement of keys not counted."""
        listed = self.namespace.run("nft list chain ip lab inside").stdout
        return int(listed.split("counter packets ")[1].split()[0])

    @property
    def is_up(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    def enrolled(self) -> EnrolledGateway:
        """As a profile names it. Its API is nowhere: renewals are no part of the lab."""
        endpoint = Endpoint(self.address, PORT)
        return EnrolledGateway(endpoint, self.keys.public, "0" * 64, Endpoint("127.0.0.1", 1))

    def _log(self) -> Path:
        return self._lab.dir / f"far-end-{self.number}.log"


class Fleet(Watched):
    """Up while entered: all gateways run, the helper answers, disconnected."""

    def __init__(self, count: int, post_quantum: PostQuantum = PostQuantum.OFF) -> None:
        self.lab = Lab(uplinks=("eth0",), gateway=False)
        self._post_quantum = post_quantum
        self._keys = Keys.new()
        self.ends = [FarEnd(number, self.lab, self._keys.public) for number in range(count)]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.lab)
            for end in self.ends:
                stack.enter_context(end.namespace)
                end.connect()
                end.start()
            endpoints = frozenset((end.address, PORT) for end in self.ends)
            devices = [uplink.router_device for uplink in self.lab.uplinks]
            self.capture = stack.enter_context(Capture(self.lab.router, devices, gateways=endpoints))
            self.helper = HelperProcess(self.lab.client)
            stack.callback(self.helper.__exit__)
            store = Store(self.helper.state_dir)
            store.lock()
            store.load()
            store.save_profile(self.profile(), ProfileSecrets(Secret.from_base64(self._keys.private)))
            store.unlock()
            self.helper.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def profile(self) -> Profile:
        """As an enrolment makes it."""
        gateways = tuple(end.enrolled() for end in self.ends)
        everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
        return Profile(
            PROFILE,
            (ip_interface(f"{CLIENT4}/32"), ip_interface(f"{CLIENT6}/128")),
            (Peer(gateways[0].public_key, gateways[0].endpoint, everything),),
            enrolment=Enrolment("d", gateways, (ip_address(TUNNEL4), ip_address(TUNNEL6)), time.time()),
            post_quantum=self._post_quantum,
        )

    def connect(self) -> None:
        """And wait for it."""
        self.slopn("connect", PROFILE, "--wait", "30")

    def snapshot(self) -> dict[str, Any]:
        """All that the helper tells."""
        with Channel(str(self.helper.socket)) as channel:
            return {**channel.snapshot()}

    def reaches(self, holds: Any, timeout: float, what: str) -> dict[str, Any]:
        """The snapshot, once `holds` says so of it."""
        last: dict[str, Any] = {}

        def there() -> bool:
            nonlocal last
            with contextlib.suppress(Failure):
                last = self.snapshot()
            return bool(last) and bool(holds(last))

        try:
            until(there, timeout, what)
        except Expired as expired:
            raise AssertionError(f"{expired}; last: {last}\n{self.helper.tail()}") from None
        return last

    def in_use(self) -> FarEnd:
        """The gateway that has the traffic, by what the helper tells."""
        host = self.snapshot()["live"]["gateway"]["host"]
        return next(end for end in self.ends if end.address == host)

    def key(self) -> str:
        """The preshared key of the tunnel's only peer, as `wg` has it."""
        return self.lab.client.run("wg show slopn0 preshared-keys").stdout.split()[1]
