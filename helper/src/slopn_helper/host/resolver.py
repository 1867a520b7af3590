"""Asks named resolvers for an endpoint's addresses over our own marked sockets (RFC 1035, RFC 7766).

Neither getaddrinfo nor systemd-resolved can carry the mark by which the firewall knows our packets, and both ask whom
they like. Sockets are connected, so the kernel drops what doesn't come from the resolver; answers must also match the
random id and port and repeat the question.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from slopn_wire.profile import IPAddress

SO_MARK = 36
"""socket(7); needs CAP_NET_ADMIN."""
TRIES = 3
"""Datagrams to one resolver before the next is asked: a lost one must not cost the whole deadline."""
GRACE = 0.25
"""Seconds that one family's answer is waited for once the other's is there."""
LIMIT = 16
"""Addresses taken from one name: each becomes a firewall rule."""


class ResolveError(Exception):
    """No resolver gave an address. `said` has each one's answer, in the order in which they were asked."""

    def __init__(self, host: str, said: Sequence[tuple[str, str]]) -> None:
        self.host = host
        self.said = tuple(said)
        told = "; ".join(f"{resolver} {what}" for resolver, what in said) or "there is no resolver to ask"
        super().__init__(f"{host} can't be resolved: {told}")


async def resolve(
    host: str,
    resolvers: Sequence[IPAddress],
    fwmark: int | None,
    *,
    timeout: float,  # noqa: ASYNC109 (it is shared out among the resolvers)
    port: int = 53,
) -> tuple[IPAddress, ...]:
    """The addresses of `host`, IPv4 first, at least one; a literal is its own. Raises `ResolveError`.

    The resolvers are asked in turn within `timeout` seconds altogether, each for both families at once. One that says
    that there is no such name, or no address, is believed; one that fails, refuses or is silent is passed over.
    """
    try:
        return (ip_address(host.strip("[]")),)
    except ValueError:
        pass
    try:
        name = dns.name.from_text(host)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ResolveError(host, [("it", f"is not a host name ({error})")]) from error
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    said: list[tuple[str, str]] = []
    for position, server in enumerate(resolvers):
        share = max(end - loop.time(), 0.0) / (len(resolvers) - position)
        found, answers = await _ask_both(name, (str(server), port), fwmark, share)
        if found:
            return tuple(found[:LIMIT])
        said.append((str(server), " and ".join(dict.fromkeys(a.text for a in answers))))
        if any(a.final for a in answers):
            break
    raise ResolveError(host, said)


class _Answer(Exception):
    def __init__(self, text: str, *, final: bool = False) -> None:
        self.text = text
        self.final = final


async def _ask_both(
    name: dns.name.Name, server: tuple[str, int], fwmark: int | None, seconds: float
) -> tuple[list[IPAddress], list[_Answer]]:
    end = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ask(name, kind, server, fwmark, end)) for kind in ("A", "AAAA")]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if any(not isinstance(task.result(), _Answer) for task in done):
            await asyncio.wait(tasks, timeout=GRACE)
        else:
            await asyncio.wait(tasks)
        for task in tasks:
            task.cancel()
    results = [task.result() for task in tasks if not task.cancelled()]
    found = [address for result in results if not isinstance(result, _Answer) for address in result]
    answers = [result for result in results if isinstance(result, _Answer)]
    # "No address of this family" says nothing about the other one, which may have failed.
    if any(not answer.final for answer in answers):
        answers = [answer for answer in answers if not answer.final or answer.text == _NXDOMAIN]
    return found, answers


_NXDOMAIN = "says that there is no such name"


async def _ask(
    name: dns.name.Name, kind: str, server: tuple[str, int], fwmark: int | None, end: float
) -> list[IPAddress] | _Answer:
    query = dns.message.make_query(name, kind)
    try:
        async with asyncio.timeout_at(end):
            reply = await _by_udp(query, server, fwmark, end)
            if reply.flags & dns.flags.TC:
                reply = await _by_tcp(query, server, fwmark)
        return _addresses(reply)
    except _Answer as answer:
        return answer
    except TimeoutError:
        return _Answer("doesn't answer")
    except (OSError, EOFError) as error:
        return _Answer(f"can't be reached ({getattr(error, 'strerror', None) or error!r})")


async def _by_udp(
    query: dns.message.Message, server: tuple[str, int], fwmark: int | None, end: float
) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    with _socket(server, socket.SOCK_DGRAM, fwmark) as sock:
        await loop.sock_connect(sock, server)
        pause = (end - loop.time()) / TRIES
        for left in reversed(range(TRIES)):
            await loop.sock_sendall(sock, query.to_wire())
            try:
                async with asyncio.timeout_at(end if left == 0 else min(end, loop.time() + pause)):
                    while True:
                        reply = _parse(query, await loop.sock_recv(sock, 65535))
                        if reply is not None:
                            return reply
            except TimeoutError:
                continue
    raise TimeoutError


async def _by_tcp(query: dns.message.Message, server: tuple[str, int], fwmark: int | None) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    wire = query.to_wire()
    with _socket(server, socket.SOCK_STREAM, fwmark) as sock:
        await loop.sock_connect(sock, server)
        await loop.sock_sendall(sock, struct.pack("!H", len(wire)) + wire)
        (length,) = struct.unpack("!H", await _exactly(sock, 2))
        reply = _parse(query, await _exactly(sock, length))
    if reply is None:
        raise _Answer("answers something else over TCP")
    return reply


async def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = await asyncio.get_running_loop().sock_recv(sock, count - len(data))
        if not part:
            raise EOFError("the connection was closed")
        data += part
    return data


def _socket(server: tuple[str, int], kind: int, fwmark: int | None) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if fwmark is not None:
            sock.setsockopt(socket.SOL_SOCKET, SO_MARK, fwmark)
    except BaseException:
        sock.close()
        raise
    return sock


def _parse(query: dns.message.Message, wire: bytes) -> dns.message.Message | None:
    """The reply to `query`, or None: garbage, or the answer to another question, which may be a forger's guess."""
    try:
        reply = dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, IndexError, struct.error):
        return None
    return reply if query.is_response(reply) else None


def _addresses(reply: dns.message.Message) -> list[IPAddress]:
    """The addresses at the end of the reply's chain of aliases. Raises `_Answer` when there are none."""
    rcode = reply.rcode()
    if rcode == dns.rcode.NXDOMAIN:
        raise _Answer(_NXDOMAIN, final=True)
    if rcode != dns.rcode.NOERROR:
        raise _Answer(f"says {dns.rcode.to_text(rcode)}")
    try:
        chain = dns.message.QueryMessage.resolve_chaining(reply)  # type: ignore[arg-type]
    except dns.exception.DNSException as error:
        raise _Answer(f"gives a broken answer ({type(error).__name__})") from error
    found = [ip_address(record.address) for record in chain.answer or ()]
    usable = [address for address in found if not (address.is_unspecified or address.is_multicast)]
    if not usable:
        raise _Answer("knows no usable address for it", final=True)
    return usable
