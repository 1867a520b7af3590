"""The far end of the tunnel: a WireGuard gateway on our own engine, with NAT and a resolver inside the tunnel."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.netns import Namespace
from support.topology import DNS4, GATEWAY4, GATEWAY6, GATEWAY_PORT, Lab
from support.until import until

INTERFACE = "wg0"
TUNNEL4, TUNNEL6 = "10.9.0.1", "fd09::1"
"""The gateway inside the tunnel; TUNNEL4 answers DNS."""
CLIENT4, CLIENT6 = "10.9.0.2", "fd09::2"
"""What the first client is given inside the tunnel."""

_NAT = f"""
table inet lab {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    iifname "{INTERFACE}" ip daddr {TUNNEL4} meta l4proto {{ tcp, udp }} th dport 53 dnat ip to {DNS4}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    iifname "{INTERFACE}" oifname "wan0" meta nfproto ipv4 snat ip to {GATEWAY4}
    iifname "{INTERFACE}" oifname "wan0" meta nfproto ipv6 snat ip6 to {GATEWAY6}
  }}
}}
"""


@dataclass(frozen=True)
class Keys:
    """A WireGuard key pair, base64."""

    private: str
    public: str

    @classmethod
    def new(cls) -> Self:
        """A fresh pair, made by wg(8)."""
        private = _wg("genkey")
        return cls(private, _wg("pubkey", private))

    def __repr__(self) -> str:
        return f"Keys({self.public})"


@dataclass(frozen=True)
class PeerSeen:
    """One peer as `wg show dump` on the gateway has it."""

    endpoint: str | None
    last_handshake: int
    """Unix seconds; 0: none yet."""
    rx_bytes: int
    tx_bytes: int


class Gateway:
    """The engine `wg0` in the lab's gateway namespace, with one peer for the client; up while entered.

    `preshared` adds a preshared key. `config` is the client's wg-quick file.
    """

    def __init__(self, lab: Lab, *, preshared: bool = True, engine: Path | None = None) -> None:
        self.namespace: Namespace = lab.gateway
        self.keys = Keys.new()
        self.client_keys = Keys.new()
        self.preshared = _wg("genpsk") if preshared else None
        self._engine = engine or Path(sys.executable).parent / "slopn-engine"
        self._log_path = lab.dir / "gateway-engine.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._routed = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the engine and give it keys, peer, addresses and NAT. After `stop` it is as before, without sessions."""
        with self._log_path.open("ab") as log:
            self._process = self.namespace.popen([str(self._engine), "-f", INTERFACE], stdout=log, stderr=log)
        until(self._answers, 15.0, f"the gateway's engine answers (its log: {self._log_path})")
        self.namespace.run(["wg", "setconf", INTERFACE, "/dev/stdin"], input=self._own_config())
        self.namespace.ip(f"""
            addr add {TUNNEL4}/24 dev {INTERFACE}
            addr add {TUNNEL6}/64 dev {INTERFACE} nodad
            link set {INTERFACE} mtu 1420 up
        """)
        if not self._routed:
            self.namespace.nft(_NAT)
            self._routed = True

    def stop(self) -> None:
        """Kill the engine; the tunnel is dead, the gateway's addresses still answer pings."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            self._process = None

    def config(self, *, endpoint: str | None = None, dns: bool = True, extra: str = "") -> str:
        """The client's wg-quick file. `endpoint` is `host:port`, the gateway's IPv4 address by default.

        `extra` is put at the end of the peer's section.
        """
        preshared = f"PresharedKey = {self.preshared}\n" if self.preshared else ""
        return (
            f"[Interface]\nPrivateKey = {self.client_keys.private}\nAddress = {CLIENT4}/32, {CLIENT6}/128\n"
            + (f"DNS = {TUNNEL4}\n" if dns else "")
            + f"\n[Peer]\nPublicKey = {self.keys.public}\n{preshared}"
            + f"Endpoint = {endpoint or f'{GATEWAY4}:{GATEWAY_PORT}'}\nAllowedIPs = 0.0.0.0/0, ::/0\n{extra}"
        )

    def peers(self) -> Mapping[str, PeerSeen]:
        """Every peer's counters, by public key, as the gateway sees them."""
        return seen_by(self.namespace, INTERFACE)

    def client(self) -> PeerSeen:
        """The client's counters as the gateway sees them."""
        return self.peers()[self.client_keys.public]

    def log(self) -> str:
        """What the engine has written."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def _answers(self) -> bool:
        assert self._process is not None
        if (status := self._process.poll()) is not None:
            raise RuntimeError(f"the gateway's engine ended with {status}: {self.log()[-2000:]}")
        return self.namespace.run(["wg", "show", INTERFACE], check=False).returncode == 0

    def _own_config(self) -> str:
        preshared = f"PresharedKey = {self.preshared}\n" if self.preshared else ""
        return (
            f"[Interface]\nPrivateKey = {self.keys.private}\nListenPort = {GATEWAY_PORT}\n"
            f"[Peer]\nPublicKey = {self.client_keys.public}\n{preshared}AllowedIPs = {CLIENT4}/32, {CLIENT6}/128\n"
        )


def seen_by(gateway: Namespace, interface: str) -> dict[str, PeerSeen]:
    """Every peer's counters, by public key."""
    lines = gateway.run(["wg", "show", interface, "dump"]).stdout.splitlines()[1:]
    seen = {}
    for line in lines:
        public, _, endpoint, _, handshake, rx, tx, _ = line.split("\t")
        seen[public] = PeerSeen(None if endpoint == "(none)" else endpoint, int(handshake), int(rx), int(tx))
    return seen


def _wg(verb: str, text: str = "") -> str:
    return subprocess.run(["wg", verb], input=text, check=True, capture_output=True, text=True).stdout.strip()
