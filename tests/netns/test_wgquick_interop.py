"""`slopn-engine` under wg-quick(8) against the latest wireguard-go, with proof of which process moves the bytes."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import engines
from bench.engines import Engine
from bench.wg_quick import WgQuick
from support.netns import Namespace, veth
from support.until import until

INTERFACE = "wgq"
PORT = 51820
SIZE = 4 << 20
OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
INNER = {4: ("10.77.0.1", "10.77.0.2"), 6: ("fd77::1", "fd77::2")}
CLIENT, SERVER = 0, 1
Make = Callable[[], Engine]


@dataclass(frozen=True)
class End:
    """One namespace, the engine that wg-quick is to start in it, and wg-quick without kernel WireGuard."""

    namespace: Namespace
    engine: Engine
    wg_quick: WgQuick

    def up(self) -> None:
        """Bring the interface up as wg-quick does, which starts the engine."""
        self.wg_quick.run(self.namespace, self.engine, "up", INTERFACE)

    def down(self) -> None:
        """Take it down; the engine ends by itself, since its TUN device is gone."""
        self.wg_quick.run(self.namespace, self.engine, "down", INTERFACE)

    def pids(self) -> list[int]:
        """The processes in this namespace that run the engine's program."""
        wanted = self.engine.program.resolve()
        found = []
        for pid in self.namespace.pids():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/exe").readlink() == wanted:
                    found.append(pid)
        return found

    def socket_owner(self) -> int:
        """Who listens on the interface's UAPI socket: ss(8)."""
        listening = self.namespace.run(["ss", "-xlpH"]).stdout
        lines = [line for line in listening.splitlines() if INTERFACE in line]
        assert len(lines) == 1, listening
        found = re.search(r"pid=(\d+)", lines[0])
        assert found, lines
        return int(found[1])

    def transfer(self) -> tuple[int, int]:
        """Bytes received and sent by the one peer, as `wg show` says."""
        fields = self.namespace.run(["wg", "show", INTERFACE, "transfer"]).stdout.split()
        return int(fields[1]), int(fields[2])


@pytest.fixture(name="wg_quick")
def _wg_quick(tmp_path: Path) -> WgQuick:
    return WgQuick(tmp_path)


@contextlib.contextmanager
def _ends(wg_quick: WgQuick, client: Engine, server: Engine, outer: int) -> Iterator[tuple[End, End]]:
    """Client and server, configured and not yet up, with only IPv4 or only IPv6 between them."""
    with Namespace("wgq-c", private=True) as a, Namespace("wgq-s", private=True) as b:
        veth(a, "wan0", b, "wan0")
        keys = [_key_pair(), _key_pair()]
        psk = subprocess.run(["wg", "genpsk"], check=True, capture_output=True, text=True).stdout.strip()
        far = OUTER[outer][SERVER]
        endpoint = f"Endpoint = {f'[{far}]' if outer == 6 else far}:{PORT}\n"
        for at, namespace in enumerate((a, b)):
            namespace.ip(f"addr add {OUTER[outer][at]}/{64 if outer == 6 else 24} dev wan0")
            private, public = keys[at][0], keys[1 - at][1]
            everything = "0.0.0.0/0, ::/0"
            theirs = everything if at == CLIENT else f"{INNER[4][CLIENT]}/32, {INNER[6][CLIENT]}/128"
            wg_quick.configure(
                namespace,
                INTERFACE,
                f"[Interface]\nPrivateKey = {private}\nAddress = {INNER[4][at]}/24, {INNER[6][at]}/64\n"
                + ("" if at == CLIENT else f"ListenPort = {PORT}\n")
                + f"[Peer]\nPublicKey = {public}\nPresharedKey = {psk}\nAllowedIPs = {theirs}\n"
                + (endpoint if at == CLIENT else ""),
            )
        yield End(a, client, wg_quick), End(b, server, wg_quick)


@pytest.mark.parametrize(
    ("client", "server", "outer"),
    [
        (engines.ours, engines.wireguard_go, 4),
        (engines.wireguard_go, engines.ours, 4),
        (engines.ours, engines.wireguard_go, 6),
    ],
    ids=["client-v4", "server-v4", "client-v6"],
)
def test_the_engine_moves_the_bytes(wg_quick: WgQuick, client: Make, server: Make, outer: int) -> None:
    """Both processes read and write at least what was sent through the tunnel, over IPv4 and IPv6 inside."""
    with _ends(wg_quick, client(), server(), outer) as both:
        for end in reversed(both):
            end.up()
        for end in both:
            [pid] = end.pids()
            assert end.socket_owner() == pid, "the engine answers on the socket"
            [link] = json.loads(end.namespace.run(["ip", "-d", "-j", "link", "show", INTERFACE]).stdout)
            assert link["linkinfo"]["info_kind"] == "tun", "kernel WireGuard has no part in it"
        for inner in (4, 6):
            before = [_io(end) for end in both]
            counted = [end.transfer() for end in both]
            _echo(both, inner)
            for end, (read, written), seen in zip(both, before, counted, strict=True):
                now, transfer = _io(end), end.transfer()
                assert now[0] - read >= SIZE, f"{end.engine.name} has read from the TUN"
                assert now[1] - written >= SIZE, f"{end.engine.name} has written to the TUN"
                assert min(transfer[0] - seen[0], transfer[1] - seen[1]) >= SIZE, "wg counts it"


def test_down_ends_the_engine_and_up_starts_it_again(wg_quick: WgQuick) -> None:
    """`wg-quick down` leaves no process, no socket and no rule; the next `up` carries traffic again."""
    ours = engines.ours()
    with _ends(wg_quick, ours, ours, 4) as both:
        rules = both[CLIENT].namespace.run(["ip", "rule"]).stdout
        both[SERVER].up()
        for _ in range(2):
            both[CLIENT].up()
            assert both[CLIENT].namespace.run(["ip", "rule"]).stdout != rules, "wg-quick routed by the mark"
            _echo(both, 4)
            both[CLIENT].down()
            until(lambda: not both[CLIENT].pids(), 10.0, "the engine has ended")
            assert not list((both[CLIENT].namespace.root() / "var/run/wireguard").iterdir())
            assert both[CLIENT].namespace.run(["ip", "rule"]).stdout == rules


def _io(end: End) -> tuple[int, int]:
    """Bytes that the engine's process has read and written by read(2) and its kin, as it does on its TUN: proc_pid_io(5).

    What goes through its UDP sockets isn't in there.
    """
    [pid] = end.pids()
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines())
    return int(fields["rchar"]), int(fields["wchar"])


def _echo(both: tuple[End, End], inner: int) -> None:
    """Send SIZE random bytes from the client through the tunnel and read the same back."""
    family = socket.AF_INET if inner == 4 else socket.AF_INET6
    with both[SERVER].namespace.entered():
        listener = socket.create_server((INNER[inner][SERVER], 0), family=family)
    with both[CLIENT].namespace.entered():
        caller = socket.socket(family)
    with listener, caller:
        listener.settimeout(30)
        caller.settimeout(30)
        caller.connect(listener.getsockname()[:2])
        answerer = threading.Thread(target=_answer, args=(listener,))
        answerer.start()
        sent = secrets.token_bytes(SIZE)
        sender = threading.Thread(target=caller.sendall, args=(sent,))
        sender.start()
        got = bytearray()
        while len(got) < SIZE and (part := caller.recv(1 << 16)):
            got += part
        sender.join()
        caller.shutdown(socket.SHUT_WR)
        answerer.join()
        assert bytes(got) == sent, "what came back is what was sent"


def _answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(30)
        while part := connection.recv(1 << 16):
            connection.sendall(part)


def _key_pair() -> tuple[str, str]:
    private = subprocess.run(["wg", "genkey"], check=True, capture_output=True, text=True).stdout.strip()
    public = subprocess.run(["wg", "pubkey"], input=private, check=True, capture_output=True, text=True).stdout.strip()
    return private, public
