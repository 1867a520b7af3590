"""A gateway that refuses everybody, somebody who attacks it, and a bystander."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support.netns import Namespace, veth
from support.refusing_gateway import PORT

ATTACKER4, GATEWAY4 = "203.0.113.7", "203.0.113.1"
ATTACKER6, ATTACKER6_TOO, GATEWAY6 = "2001:db8:a::7", "2001:db8:a::8", "2001:db8:a::1"
BYSTANDER4, BYSTANDER6 = "198.51.100.9", "2001:db8:b::9"
GATEWAY4_THERE, GATEWAY6_THERE = "198.51.100.1", "2001:db8:b::1"
FORGERIES = (
    "bob",
    f"bob from={BYSTANDER4}",
    f'" from={BYSTANDER4} why=bad_token "',
    f'\nrefused from={BYSTANDER4} why=bad_token addr={BYSTANDER4} port=1 more=0 said=""\n',
    f'\r\nrefused from={BYSTANDER4} why=bad_token addr={BYSTANDER4} port=1 more=0 said=""',
    f'\u2028refused from={BYSTANDER4} why=bad_token addr={BYSTANDER4} port=1 more=0 said=""',
    f'\x85refused from={BYSTANDER4} why=bad_token addr={BYSTANDER4} port=1 more=0 said=""',
    f"\x1b[2J\x1b[1Grefused from={BYSTANDER4} why=bad_token addr={BYSTANDER4}",
    f"\x1b]0;refused from={BYSTANDER4}\x07",
    f"\x08\x08\x08\x08\x08from={BYSTANDER4}",
    f"\x00refused from={BYSTANDER4} why=bad_token",
    f'\\" from={BYSTANDER4} why=bad_token addr={BYSTANDER4}',
    f'\n{{"number":1,"at":1,"level":"warning","component":"gateway.refusals","message":"refused from={BYSTANDER4}',
    f"12:00:00 warning gateway.refusals: refused from={BYSTANDER4} why=bad_token addr=",
    f"\n12:00:00 warning gateway.refusals: refused from={BYSTANDER4} why=bad_token addr=",
    f"h slopn-gateway[1]: refused from={BYSTANDER6} why=bad_token",
    f"[{BYSTANDER6}] ::ffff:{BYSTANDER4} {BYSTANDER4}",
    "2026-11-23T12:00:00+00:00 refused from=2001:db8:b::/64 why=bad_token",
    f"\u202erefused from={BYSTANDER4}",
    f'token="x refused from={BYSTANDER4}',
)
"""What a client may call itself in order to have the bystander banned."""


class BansWorld:
    """The namespaces `gateway`, `attacker` and `bystander`; `gateway_log` is where the gateway's lines are."""

    def __init__(self, folder: Path, gateway: Namespace, attacker: Namespace, bystander: Namespace) -> None:
        self.gateway = gateway
        self.attacker = attacker
        self.bystander = bystander
        self.gateway_log = folder / "gateway.log"
        self._process: subprocess.Popen[str] | None = None

    def start(self, who: str, *allowed: str) -> None:
        """Start the refusing gateway, `builtin` or `lines`."""
        argv = [sys.executable, "-m", "support.refusing_gateway", str(self.gateway_log), who, *allowed]
        env = {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = self.gateway.popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._next() == "ready"

    def kill(self) -> None:
        """End the gateway without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def heal(self) -> None:
        """Have the gateway look after its table."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._next() == "healed"

    def attack(self, target: str, times: int = 5, said: str = "laptop", source: str = "") -> float:
        """Try so many wrong tokens; the milliseconds that the gateway had to do with the last. Each must be heard."""
        took = ""
        for _ in range(times):
            assert self.reaches(self.attacker, target, said, source), f"an attempt at {target} was not heard"
            took = self._next()
        return int(took) / 1000

    def reaches(self, who: Namespace, target: str, said: str = "hello", source: str = "") -> bool:
        """Whether the gateway hears and answers."""
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        with who.entered(), socket.socket(family) as sock:
            sock.settimeout(0.4)
            if source:
                sock.bind((source, 0))
            try:
                sock.connect((target, PORT))
                sock.settimeout(5.0)
                sock.sendall(said.encode("utf-8", "surrogateescape"))
                return sock.recv(64) == b"401"
            except TimeoutError:
                return False

    def answers_ping(self, who: Namespace, target: str) -> bool:
        """Whether one ping comes back within a second: other protocols than TCP."""
        return who.run(["ping", "-c1", "-W1", "-n", target], check=False).returncode == 0

    def bystander_is_in(self) -> bool:
        """Whether the bystander is heard by both families; its attempts are failures as well."""
        return all(self.answers_ping(self.bystander, target) for target in (GATEWAY4_THERE, GATEWAY6_THERE))

    def sets(self) -> str:
        """The table of bans as nft(8) prints it."""
        return self.gateway.run("nft list table inet slopn_bans", check=False).stdout

    def _next(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return str(self._process.stdout.readline()).strip()


@contextlib.contextmanager
def bans_world(folder: Path) -> Iterator[BansWorld]:
    """Made, and removed at the end."""
    with Namespace("gate") as gateway, Namespace("bad") as attacker, Namespace("good") as bystander:
        veth(gateway, "bad0", attacker, "eth0")
        veth(gateway, "good0", bystander, "eth0")
        gateway.ip(
            f"address add {GATEWAY4}/24 dev bad0\naddress add {GATEWAY4_THERE}/24 dev good0\n"
            f"-6 address add {GATEWAY6}/64 dev bad0\n-6 address add {GATEWAY6_THERE}/64 dev good0"
        )
        attacker.ip(
            f"address add {ATTACKER4}/24 dev eth0\n-6 address add {ATTACKER6}/64 dev eth0\n"
            f"-6 address add {ATTACKER6_TOO}/64 dev eth0"
        )
        bystander.ip(f"address add {BYSTANDER4}/24 dev eth0\n-6 address add {BYSTANDER6}/64 dev eth0")
        yield BansWorld(folder, gateway, attacker, bystander)
