from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from typing import Any, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from slopn_helper.host import resolver
from slopn_helper.host.resolver import LIMIT, ResolveError, resolve

NAME = "gateway.example.net"
ADDRESSES = {"A": ("203.0.113.10", "203.0.113.11"), "AAAA": ("2001:db8::10",)}
Reply = Callable[[dns.message.Message, str], "bytes | list[bytes] | None"]


def good(query: dns.message.Message, _: str) -> bytes:
    """Both families."""
    return answer(query, ADDRESSES[kind(query)]).to_wire()


def only4(query: dns.message.Message, _: str) -> bytes:
    """No IPv6 address."""
    return answer(query, ADDRESSES["A"] if kind(query) == "A" else ()).to_wire()


def ipv6_silent(query: dns.message.Message, _: str) -> bytes | None:
    """A home router that drops AAAA queries."""
    return answer(query, ADDRESSES["A"]).to_wire() if kind(query) == "A" else None


def silent(*_: object) -> None:
    """Nothing, ever."""


def nxdomain(query: dns.message.Message, _: str) -> bytes:
    """There is no such name."""
    return answer(query, (), dns.rcode.NXDOMAIN).to_wire()


def nodata(query: dns.message.Message, _: str) -> bytes:
    """There is such a name, without an address."""
    return answer(query, ()).to_wire()


def servfail(query: dns.message.Message, _: str) -> bytes:
    """Something is broken."""
    return answer(query, (), dns.rcode.SERVFAIL).to_wire()


def unspecified(query: dns.message.Message, _: str) -> bytes:
    """A block list's way of saying no."""
    return answer(query, ("0.0.0.0",) if kind(query) == "A" else ("::",)).to_wire()


def truncated(query: dns.message.Message, transport: str) -> bytes:
    """Too much for a datagram: ask again over TCP."""
    if transport == "tcp":
        return good(query, transport)
    message = answer(query, ())
    message.flags |= dns.flags.TC
    return message.to_wire()


def truncated_for_ever(query: dns.message.Message, _: str) -> bytes:
    """TCP brings garbage."""
    message = answer(query, ())
    message.flags |= dns.flags.TC
    return message.to_wire() if _ == "udp" else b"garbage"


def forged_first(query: dns.message.Message, transport: str) -> list[bytes]:
    """Guesses come before the truth: another id, another question, noise, a query instead of a reply."""
    wrong_id = answer(query, ("198.51.100.66",) if kind(query) == "A" else ("2001:db8::66",))
    wrong_id.id = query.id ^ 1
    other = answer(dns.message.make_query("other.example", kind(query), id=query.id), ())
    return [wrong_id.to_wire(), other.to_wire(), b"", b"\0", b"\xff" * 40, query.to_wire(), good(query, transport)]


def alias(query: dns.message.Message, _: str) -> bytes:
    """A chain of names."""
    message = answer(query, ())
    message.answer = [
        dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", "a.example."),
        dns.rrset.from_text("a.example.", 60, "IN", "CNAME", "b.example."),
        dns.rrset.from_text("b.example.", 60, "IN", kind(query), *ADDRESSES[kind(query)]),
    ]
    return message.to_wire()


def loop(query: dns.message.Message, _: str) -> bytes:
    """A chain that bites its tail."""
    message = answer(query, ())
    message.answer = [
        dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", "a.example."),
        dns.rrset.from_text("a.example.", 60, "IN", "CNAME", f"{NAME}."),
    ]
    return message.to_wire()


def many(query: dns.message.Message, _: str) -> bytes:
    """More addresses than anyone needs."""
    return answer(query, [f"203.0.113.{n}" for n in range(30)] if kind(query) == "A" else ()).to_wire()


def kind(query: dns.message.Message) -> str:
    """A or AAAA."""
    return str(dns.rdatatype.to_text(query.question[0].rdtype))


def answer(query: dns.message.Message, records: Any, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    """A reply to `query`."""
    reply = dns.message.make_response(query)
    reply.set_rcode(rcode)
    if records:
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", kind(query), *records))
    return reply


class Server(asyncio.DatagramProtocol):
    """A resolver on a loopback address of its own that answers as it was told."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Answer over UDP."""
        for wire in self.replies(data, "udp"):
            self.transport.sendto(wire, addr)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer over TCP, split where it hurts."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            for wire in self.replies(await reader.readexactly(length), "tcp"):
                for part in (struct.pack("!H", len(wire))[:1], struct.pack("!H", len(wire))[1:] + wire[:5], wire[5:]):
                    writer.write(part)
                    await writer.drain()
        writer.close()

    def replies(self, data: bytes, transport: str) -> list[bytes]:
        """What is sent for one query."""
        query = dns.message.from_wire(data)
        self.asked.append(f"{transport} {kind(query)}")
        wires = self.reply(query, transport)
        return wires if isinstance(wires, list) else [] if wires is None else [wires]


@contextlib.asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[tuple[int, list[Server]]]:
    """Servers on 127.0.0.1, 127.0.0.2, … of one free port."""
    servers = [Server(reply) for reply in replies]
    loop = asyncio.get_running_loop()
    port = 0
    async with contextlib.AsyncExitStack() as stack:
        for number, server in enumerate(servers, 1):
            tcp = await asyncio.start_server(server.stream, f"127.0.0.{number}", port)
            await stack.enter_async_context(tcp)
            port = tcp.sockets[0].getsockname()[1]
            transport, _ = await loop.create_datagram_endpoint(
                lambda server=server: server,  # type: ignore[misc]
                local_addr=(f"127.0.0.{number}", port),
            )
            stack.callback(transport.close)
        yield port, servers


def ask(*replies: Reply, timeout: float = 10.0, host: str = NAME) -> tuple[list[str], list[list[str]]]:
    """The addresses and what each server was asked."""

    async def scenario() -> tuple[list[str], list[list[str]]]:
        async with serving(*replies) as (port, servers):
            resolvers = [ip_address(f"127.0.0.{n}") for n in range(1, len(replies) + 1)]
            found = await resolve(host, resolvers, None, timeout=timeout, port=port)
            assert [a.version for a in found] == sorted(a.version for a in found)
            # dnspython's server side shuffles records.
            return sorted(map(str, found)), [server.asked for server in servers]

    return asyncio.run(scenario())


ALL = sorted([*ADDRESSES["A"], *ADDRESSES["AAAA"]])


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the second family's answer may be late: that isn't what these tests are about."""
    monkeypatch.setattr(resolver, "GRACE", 30.0)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (good, ALL),
        (only4, list(ADDRESSES["A"])),
        (truncated, ALL),
        (forged_first, ALL),
        (alias, ALL),
    ],
)
def test_one_resolver_is_enough(reply: Reply, expected: list[str]) -> None:
    """IPv4 first, both families, whatever the way the answer takes; forged answers are passed over."""
    assert ask(reply)[0] == expected


def test_a_family_that_is_never_answered_does_not_hold_up_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some home routers drop questions for IPv6: what IPv4 gave is used soon, not at the deadline."""
    monkeypatch.setattr(resolver, "GRACE", 0.05)
    before = time.monotonic()
    assert ask(ipv6_silent, timeout=300.0)[0] == list(ADDRESSES["A"])
    assert time.monotonic() - before < 60.0


def test_no_name_makes_more_addresses_than_the_firewall_should_hold() -> None:
    """A resolver can't fill the firewall with rules."""
    assert len(ask(many)[0]) == LIMIT


def test_both_families_are_asked_over_udp_and_again_over_tcp_when_truncated() -> None:
    """Four questions for a truncated answer, two for a plain one."""
    assert sorted(ask(good)[1][0]) == ["udp A", "udp AAAA"]
    assert sorted(ask(truncated)[1][0]) == ["tcp A", "tcp AAAA", "udp A", "udp AAAA"]


@pytest.mark.parametrize("first", [servfail, silent, truncated_for_ever, loop])
def test_a_resolver_that_fails_is_passed_over(first: Reply) -> None:
    """The next one is asked when the first fails, refuses, is silent or talks nonsense."""
    found, asked = ask(first, good, timeout=1.0)
    assert found == ALL
    assert asked[0]


@pytest.mark.parametrize("first", [nxdomain, nodata, unspecified])
def test_a_resolver_that_knows_is_believed(first: Reply) -> None:
    """Nobody else is told the name once one resolver says that it has no address."""
    with pytest.raises(ResolveError) as error:
        ask(first, good)
    assert len(error.value.said) == 1


def test_a_lost_datagram_is_sent_again() -> None:
    """One lost packet costs a third of the resolver's share and not the connection."""
    lost: set[str] = set()

    def lossy(query: dns.message.Message, transport: str) -> bytes | None:
        if kind(query) in lost:
            return good(query, transport)
        lost.add(kind(query))
        return None

    found, asked = ask(lossy, timeout=1.5)
    assert set(found) & set(ALL)
    assert len(asked[0]) >= 3


def test_the_error_says_who_said_what() -> None:
    """A person can see from the message which resolver is to blame."""
    with pytest.raises(ResolveError) as error:
        ask(servfail, silent, nxdomain, timeout=0.9)
    assert str(error.value) == (
        f"{NAME} can't be resolved: 127.0.0.1 says SERVFAIL; 127.0.0.2 doesn't answer; "
        "127.0.0.3 says that there is no such name"
    )
    assert error.value.host == NAME


def test_a_closed_port_is_noticed_at_once() -> None:
    """A resolver that isn't there doesn't cost its share of the deadline."""

    async def scenario() -> None:
        async with serving(good) as (port, _):
            found = await resolve(
                NAME, [ip_address("127.0.0.9"), ip_address("127.0.0.1")], None, timeout=600.0, port=port
            )
            assert sorted(map(str, found)) == ALL

    asyncio.run(asyncio.wait_for(scenario(), 60.0))


def test_the_deadline_holds_altogether() -> None:
    """Silent resolvers share the time out among them; the core's timer must not be overrun."""
    before = time.monotonic()
    with pytest.raises(ResolveError):
        ask(silent, silent, silent, timeout=0.6)
    assert time.monotonic() - before < 30.0


@pytest.mark.parametrize("literal", ["203.0.113.10", "2001:db8::1", "[2001:db8::1]"])
def test_literals_ask_nobody(literal: str) -> None:
    """An address is its own answer, without any resolver."""
    found = asyncio.run(resolve(literal, [], None, timeout=1.0))
    assert list(map(str, found)) == [literal.strip("[]")]


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example", "\udcff"])
def test_what_is_no_name_asks_nobody(name: str) -> None:
    """A name that DNS can't carry is an error of ours, before a packet is sent."""
    with pytest.raises(ResolveError):
        asyncio.run(resolve(name, [ip_address("127.0.0.1")], None, timeout=1.0, port=9))


def test_without_resolvers_the_error_says_so() -> None:
    """An empty list is named as the cause."""
    with pytest.raises(ResolveError, match="no resolver to ask"):
        asyncio.run(resolve(NAME, [], None, timeout=1.0))
