"""The internet, as one process: HTTP with a large file, DNS, and ports that count or echo what reaches them.

Started by `support.internet`; `python internet_server.py CONTROL_SOCKET DNS_ADDRESS`. Everything is counted by the
sender's address, which is how a test learns whether traffic came through the tunnel. Whoever connects to CONTROL_SOCKET
is handed the counters as one JSON object.
"""

from __future__ import annotations

import asyncio
import collections
import functools
import hashlib
import ipaddress
import json
import os
import random
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

FILE_SIZE = 50 * 1000 * 1000
TCP_SINK, UDP_SINK, UDP_ECHO = 9000, 9000, 9007
NAMES = {
    "gateway.example.net": ("203.0.113.10", "2001:db8:9::10"),
    "web.example.net": ("198.51.100.1", "2001:db8:ffff::1"),
}

_counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
_queries: list[list[str]] = []


def _sender(address: tuple[Any, ...]) -> str:
    """The address as text, an IPv4 one plain even if it came to an IPv6 socket."""
    parsed = ipaddress.ip_address(address[0].split("%")[0])
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


class Udp(asyncio.DatagramProtocol):
    """Counts datagrams, and sends them back if it is the echo."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        # asyncio's own transport does not derive from the abstract class that its documentation names.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Count, and answer in the way of `kind`."""
        _counts[self.kind][_sender(addr)] += 1
        if self.kind == "udp_echo":
            self.transport.sendto(data, addr)
        elif self.kind == "dns" and (reply := answer(data, _sender(addr))):
            self.transport.sendto(reply, addr)


def answer(query: bytes, sender: str) -> bytes | None:
    """The reply to one DNS query (RFC 1035) for A or AAAA of a name in `NAMES`; NXDOMAIN for others."""
    try:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
            at += 1 + query[at]
        (kind,) = struct.unpack_from("!H", query, at + 1)
    except (IndexError, struct.error, UnicodeDecodeError):
        return None
    name = ".".join(labels).lower()
    _queries.append([sender, name, {1: "A", 28: "AAAA"}.get(kind, str(kind))])
    found = NAMES.get(name)
    records = b""
    if found and kind in {1, 28}:
        data = ipaddress.ip_address(found[kind == 28]).packed
        records = struct.pack("!HHHIH", 0xC00C, kind, 1, 30, len(data)) + data
    header = query[:2] + struct.pack("!HHHHH", 0x8180 if found else 0x8183, 1, bool(records), 0, 0)
    return header + query[12 : at + 5] + records


async def dns_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """DNS over TCP: a two-byte length before each message."""
    sender = _sender(writer.get_extra_info("peername"))
    _counts["dns_tcp"][sender] += 1
    try:
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            if reply := answer(await reader.readexactly(length), sender):
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def sink_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Count the connection and swallow what comes."""
    _counts["tcp"][_sender(writer.get_extra_info("peername"))] += 1
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass
    finally:
        writer.close()


class Http:
    """`/file` is the large file, `/` says who asks, in JSON. One request a connection."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; the bytes of the file are counted once its last one has left."""
        sender = _sender(writer.get_extra_info("peername"))
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).split(b" ")
            large = request[1] == b"/file"
            body = b"" if large else json.dumps({"you": sender}).encode()
            length = FILE_SIZE if large else len(body)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            _counts["http"][sender] += 1
            await writer.drain()
            if large:
                with self.path.open("rb") as file:
                    sent = await asyncio.get_running_loop().sendfile(writer.transport, file)
                _counts["http_file_bytes"][sender] += sent
        except (asyncio.IncompleteReadError, ConnectionError, IndexError):
            pass
        finally:
            writer.close()


def write_file(path: Path) -> str:
    """Write the large file, the same in every run and no two megabytes alike, and return its SHA-256."""
    block = random.Random(51820).randbytes(1 << 20)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        left, turn = FILE_SIZE, 0
        while left:
            part = (block[turn * 4099 :] + block[: turn * 4099])[:left]
            file.write(part)
            digest.update(part)
            left, turn = left - len(part), turn + 1
    return digest.hexdigest()


async def main(control: str, dns: list[str]) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(dir=Path(control).parent) as folder:
        path = Path(folder, "file")
        digest = await asyncio.to_thread(write_file, path)
        for address in dns:
            await loop.create_datagram_endpoint(lambda: Udp("dns"), local_addr=(address, 53))
            await asyncio.start_server(dns_tcp, address, 53)
        for kind, port in (("udp", UDP_SINK), ("udp_echo", UDP_ECHO)):
            for any_address, family in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)):
                sock = socket.socket(family, socket.SOCK_DGRAM)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((any_address, port))
                await loop.create_datagram_endpoint(functools.partial(Udp, kind), sock=sock)
        await asyncio.start_server(Http(path).serve, None, 80)
        await asyncio.start_server(sink_tcp, None, TCP_SINK)

        async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(json.dumps({"sha256": digest, "size": FILE_SIZE, "counts": _counts, "dns": _queries}).encode())
            writer.close()

        ready = f"{control}.new"
        server = await asyncio.start_unix_server(tell, ready)
        os.rename(ready, control)  # noqa: PTH104 - whoever sees the name may connect
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
