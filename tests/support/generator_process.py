"""The leak generator: sends every kind of traffic a program may send, in rounds, until its time is up.

Started by `support.generator` inside the client's namespace with one JSON argument (`Plan`). Prints `ready` after the
first round, and on SIGTERM or at the end one JSON object with the packets it tried to send, by kind. A send that fails
is what a protected host is supposed to see: it is counted and forgotten.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

PROBE = b"leakprobe"  # as in support.frames; this file is started alone, on no import path
V4, V6 = socket.AF_INET, socket.AF_INET6
_SO_BINDTODEVICE = 25
_FAKE_WIREGUARD = b"\x04\0\0\0" + b"\1\0\0\0" + bytes(8) + PROBE.ljust(32, b".")

_connected: dict[str, socket.socket] = {}
_connecting: collections.deque[socket.socket] = collections.deque()


def main() -> None:
    """Send until the time is up or SIGTERM comes."""
    plan: dict[str, Any] = json.loads(sys.argv[1])
    senders = everything(plan)
    progress = os.open(plan["progress"], os.O_WRONLY)
    tried: collections.Counter[str] = collections.Counter()
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    pause = 1 / plan["rounds_per_second"]
    end = time.monotonic() + plan["seconds"]
    due = time.monotonic()
    while not stopped and time.monotonic() < end:
        for kind, send in senders:
            tried[kind] += 1
            with contextlib.suppress(OSError):
                send()
        os.pwrite(progress, f"{tried.total():>20}".encode(), 0)
        if tried.total() == len(senders):
            tell("ready")
        due = max(due + pause, time.monotonic() - pause)
        time.sleep(max(0.0, due - time.monotonic()))
    tell(json.dumps(tried))


def tell(line: str) -> None:
    """One line to whoever started this."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def everything(plan: dict[str, Any]) -> list[tuple[str, Callable[[], None]]]:
    """Every kind as (name, a function that sends one packet of it)."""
    web4, web6, dns4, dns6 = plan["web4"], plan["web6"], plan["dns4"], plan["dns6"]
    gateway4, gateway6, port = plan["gateway4"], plan["gateway6"], plan["gateway_port"]
    to4, to6 = (web4, plan["port"]), (web6, plan["port"])
    kinds: list[tuple[str, Callable[[], None]]] = [
        ("udp", lambda: udp(V4, to4)),
        ("udp6", lambda: udp(V6, to6)),
        ("udp connected", lambda: udp_connected("udp", V4, to4)),
        ("udp6 connected", lambda: udp_connected("udp6", V6, to6)),
        ("tcp", lambda: tcp(V4, to4)),
        ("tcp6", lambda: tcp(V6, to6)),
        ("tcp stream", lambda: tcp_stream("tcp", V4, to4)),
        ("icmp", lambda: icmp(V4, (web4, 0))),
        ("icmp6", lambda: icmp(V6, (web6, 0))),
        ("dns", lambda: udp(V4, (dns4, 53), dns_query())),
        ("dns6", lambda: udp(V6, (dns6, 53), dns_query())),
        ("dns over tcp", lambda: tcp(V4, (dns4, 53))),
        ("dns over tls", lambda: tcp(V4, (dns4, 853))),
        ("dns over quic", lambda: udp(V4, (dns4, 853))),
        ("gateway, its port", lambda: udp(V4, (gateway4, port))),
        ("gateway, its port, disguised", lambda: udp(V4, (gateway4, port), _FAKE_WIREGUARD)),
        ("gateway6, its port", lambda: udp(V6, (gateway6, port))),
        ("gateway, another port", lambda: udp(V4, (gateway4, 22))),
        ("gateway, tcp", lambda: tcp(V4, (gateway4, port))),
    ]
    for link in plan["uplinks"]:
        kinds += _on_one_link(link["device"], link["router4"], link["lan6"], plan)
    return kinds


def _on_one_link(device: str, router4: str, lan6: str, plan: dict[str, Any]) -> list[tuple[str, Callable[[], None]]]:
    web4, web6 = plan["web4"], plan["web6"]
    to4, to6 = (web4, plan["bound_port"]), (web6, plan["bound_port"])
    kinds: list[tuple[str, Callable[[], None]]] = [
        (f"udp bound to {device}", lambda: udp(V4, to4, device=device)),
        (f"udp6 bound to {device}", lambda: udp(V6, to6, device=device)),
        (f"icmp bound to {device}", lambda: icmp(V4, (web4, 0), device=device)),
        (f"tcp bound to {device}", lambda: tcp(V4, to4, device=device)),
        (f"dns to {device}'s router", lambda: udp(V4, (router4, 53), dns_query())),
        (f"dns6 to {device}'s router", lambda: udp(V6, (lan6, 53), dns_query())),
        (f"udp to {device}'s LAN", lambda: udp(V4, (router4, 8080))),
        (f"udp6 to {device}'s LAN", lambda: udp(V6, (lan6, 8080))),
        (f"tcp to {device}'s LAN", lambda: tcp(V4, (router4, 8080))),
        (f"mDNS on {device}", lambda: multicast4(("224.0.0.251", 5353), device)),
        (f"SSDP on {device}", lambda: multicast4(("239.255.255.250", 1900), device)),
        (f"LLMNR on {device}", lambda: multicast4(("224.0.0.252", 5355), device)),
        (f"mDNS6 on {device}", lambda: multicast6(("ff02::fb", 5353), device)),
        (f"broadcast on {device}", lambda: udp(V4, ("255.255.255.255", 9), device=device, broadcast=True)),
    ]
    if plan["packet"]:
        kinds += [
            (f"packet socket on {device}", lambda: packet(device, web4)),
            (f"packet socket, IPv6, on {device}", lambda: packet(device, web6)),
            (f"LLDP on {device}", lambda: send_frame(device, b"\x88\xcc" + PROBE.ljust(50, b"."))),
        ]
    return kinds


def udp(
    family: int,
    to: tuple[str, int],
    payload: bytes = PROBE,
    *,
    device: str | None = None,
    broadcast: bool = False,
) -> None:
    """One datagram from a socket of its own."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, device.encode())
        if broadcast:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.sendto(payload, to)


def udp_connected(key: str, family: int, to: tuple[str, int]) -> None:
    """One datagram on a socket connected once, which keeps the route and source address of that moment."""
    sock = _connected.get(key)
    if sock is None:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.connect(to)
        except OSError:
            sock.close()
            raise
        _connected[key] = sock
    sock.send(PROBE)


def tcp(family: int, to: tuple[str, int], *, device: str | None = None) -> None:
    """One connection attempt; the socket is closed by a reset some rounds later."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if device:
        sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, device.encode())
    sock.connect_ex(to)
    _connecting.append(sock)
    if len(_connecting) > 60:
        _connecting.popleft().close()


def tcp_stream(key: str, family: int, to: tuple[str, int]) -> None:
    """Some bytes on one long-lived connection, made anew when it is reset."""
    sock = _connected.get(key)
    if sock is None:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex(to)
        _connected[key] = sock
    try:
        sock.send(PROBE)
    except BlockingIOError:
        return
    except OSError:
        _connected.pop(key).close()
        raise


def icmp(family: int, to: tuple[str, int], *, device: str | None = None) -> None:
    """One echo request."""
    protocol = socket.IPPROTO_ICMP if family == V4 else socket.IPPROTO_ICMPV6
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        sock.setblocking(False)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, device.encode())
        sock.sendto(echo_request(8 if family == V4 else 128), to)


def echo_request(kind: int) -> bytes:
    """An ICMP echo request with the probe (RFC 792); for ICMPv6 the kernel fills in the checksum."""
    body = struct.pack("!HH", 1, 1) + PROBE + b"."
    total = sum(struct.unpack(f"!{len(body) // 2}H", body)) + (kind << 8)
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return struct.pack("!BBH", kind, 0, ~total & 0xFFFF) + body


def dns_query() -> bytes:
    """A query for the A record of `leakprobe.example`, with the probe readable in it."""
    return struct.pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + b"\x09" + PROBE + b"\x07example\0" + struct.pack("!HH", 1, 1)


def multicast4(to: tuple[str, int], device: str) -> None:
    """One IPv4 multicast datagram out of `device`, whatever the routes say."""
    with socket.socket(V4, socket.SOCK_DGRAM) as sock:
        request = struct.pack("4s4si", bytes(4), bytes(4), socket.if_nametoindex(device))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
        sock.setblocking(False)
        sock.sendto(PROBE, to)


def multicast6(to: tuple[str, int], device: str) -> None:
    """One IPv6 multicast datagram out of `device`, whatever the routes say."""
    with socket.socket(V6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(device))
        sock.setblocking(False)
        sock.sendto(PROBE, to)


def packet(device: str, to: str) -> None:
    """One hand-made UDP frame by a packet socket, which no table of the families ip, ip6 and inet sees."""
    body = struct.pack("!HHHH", 9, 9001, 8 + len(PROBE), 0) + PROBE
    if ":" in to:
        addresses = socket.inet_pton(V6, "2001:db8::99") + socket.inet_pton(V6, to)
        send_frame(device, b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), 17, 64) + addresses + body)
        return
    addresses = socket.inet_aton("192.0.2.99") + socket.inet_aton(to)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0)
    send_frame(device, b"\x08\x00" + header + addresses + body)


def send_frame(device: str, frame: bytes) -> None:
    """A frame, from its EtherType on, to everybody on the link. One socket for all: closing one takes milliseconds."""
    sock = _connected.get("packet")
    if sock is None:
        sock = _connected["packet"] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.sendto(b"\xff" * 6 + bytes(6) + frame, (device, 0))


if __name__ == "__main__":
    main()
