from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest

from slopn_helper.host.dns import check
from slopn_helper.host.dns.check import ELSEWHERE, SILENT, Facts, Finding, answers_query, look, verdict
from slopn_wire.profile import DnsConfig

OURS, SECOND = ip_address("10.9.0.1"), ip_address("fd09::1")
LOCAL = ip_address("127.0.0.1")


@pytest.mark.parametrize(
    ("facts", "finding"),
    [
        (Facts((), (), ("192.0.2.1",)), None),
        (Facts((OURS,), (OURS,), ("10.9.0.1",)), None),
        (Facts((OURS, SECOND), (SECOND,), ("10.9.0.1", "fd09::1")), None),
        (Facts((OURS,), (OURS,), ("127.0.0.53",)), None),
        # others behind ours are refused by the firewall, and asked only where it is open
        (Facts((OURS,), (OURS,), ("10.9.0.1", "192.0.2.1")), None),
        (Facts((OURS,), (OURS,), ("10.9.0.1", "192.0.2.1"), blocked=False), ELSEWHERE),
        (Facts((OURS,), (OURS,), ("10.9.0.1", "127.0.0.1", "::1", "192.0.2.1"), blocked=False), None),
        # somebody else first: either nothing resolves, or it leaks
        (Facts((OURS,), (OURS,), ("192.0.2.1", "10.9.0.1")), ELSEWHERE),
        (Facts((OURS,), (), ("192.0.2.1",), blocked=False), ELSEWHERE),
        # only some names are the tunnel's
        (Facts((OURS,), (OURS,), ("192.0.2.1",), split=True, blocked=False), None),
        (Facts((OURS,), (), ("192.0.2.1",), split=True), SILENT),
        # nobody answers
        (Facts((OURS, SECOND), (), ("10.9.0.1",)), SILENT),
        (Facts((OURS,), (OURS,), ("127.0.0.53",), deaf=("127.0.0.53",)), SILENT),
        (Facts((OURS,), (OURS,), ()), SILENT),
    ],
)
def test_the_verdict_follows_from_the_facts(facts: Facts, finding: str | None) -> None:
    """Asking beside the tunnel is graver than silence, and a wrong server behind ours counts only if it can be asked."""
    found = verdict(facts)
    assert (found and found.code) == finding


def test_the_sentence_names_who_is_asked() -> None:
    """A person must be able to find the server's address in their own set-up."""
    assert verdict(Facts((OURS,), (OURS,), ("192.0.2.1", "192.0.2.2"))) == Finding(
        ELSEWHERE,
        "This computer's programs ask 192.0.2.1 and 192.0.2.2, beside the tunnel, where the firewall refuses it",
    )
    assert verdict(Facts((OURS, SECOND), (), ())) == Finding(
        SILENT, "The tunnel's name servers 10.9.0.1 and fd09::1 gave no answer"
    )


class Server(asyncio.DatagramProtocol):
    """Answers each query with what `reply` makes of it; None: not at all."""

    def __init__(self, reply: Callable[[dns.message.Message, int], bytes | None]) -> None:
        self.reply = reply
        self.asked: list[dns.message.Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer, or not."""
        query = dns.message.from_wire(data)
        self.asked.append(query)
        if (wire := self.reply(query, len(self.asked))) is not None:
            self.transport.sendto(wire, addr)


@contextlib.asynccontextmanager
async def serving(reply: Callable[[dns.message.Message, int], bytes | None]) -> AsyncIterator[tuple[Server, int]]:
    """A server on the loopback, and its port."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Server(reply), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def refused(query: dns.message.Message, _: int = 0) -> bytes:
    """An answer, though not a helpful one."""
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.REFUSED)
    return reply.to_wire()


def test_any_answer_is_an_answer_and_the_question_says_nothing() -> None:
    """A server that refuses is there; it is asked for the root's servers, which everybody asks for."""

    async def scenario() -> None:
        async with serving(refused) as (server, port):
            assert await answers_query(LOCAL, None, port=port)
            assert [q.question[0].to_text() for q in server.asked] == [". IN NS"]

    asyncio.run(scenario())


def test_what_is_no_answer_to_our_question_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise, somebody else's answer and our own question sent back are passed over; a lost datagram is sent again."""
    monkeypatch.setattr(check, "TIMEOUT", 0.3)

    def nonsense(query: dns.message.Message, number: int) -> bytes | None:
        query.id ^= 1 if number == 3 else 0
        return {1: b"\x00", 2: query.to_wire(), 3: refused(query)}.get(number)

    async def scenario() -> None:
        async with serving(nonsense) as (server, port):
            assert not await answers_query(LOCAL, None, port=port)
            assert len(server.asked) == check.TRIES
        async with serving(lambda query, number: refused(query) if number == 3 else None) as (_, port):
            assert await answers_query(LOCAL, None, port=port)

    asyncio.run(scenario())


def test_a_device_that_is_not_there_asks_nobody() -> None:
    """Without the tunnel's device no query leaves by another one."""

    async def scenario() -> None:
        async with serving(refused) as (server, port):
            assert not await answers_query(LOCAL, "slopn-no-such", port=port)
            assert server.asked == []

    asyncio.run(scenario())


def test_a_look_asks_the_tunnel_and_this_host_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign server in the list is read, never asked: that would be the leak."""
    asked: list[tuple[str, str | None]] = []

    async def fake(server: object, interface: str | None, *, port: int) -> bool:  # noqa: ARG001 (as the real one)
        asked.append((str(server), interface))
        return str(server) != "127.0.0.53"

    monkeypatch.setattr(check, "answers_query", fake)
    found = asyncio.run(
        look("slopn0", DnsConfig((OURS,)), ["10.9.0.1", "127.0.0.53", "192.0.2.1"], split=False, blocked=True)
    )
    assert asked == [("10.9.0.1", "slopn0"), ("127.0.0.53", None)]
    assert found == Finding(SILENT, "This computer's own name server 127.0.0.53 gave no answer")


def test_a_closed_port_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """ICMP's refusal ends the try, and after the last one the server counts as silent."""
    monkeypatch.setattr(check, "TIMEOUT", 0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert not asyncio.run(answers_query(LOCAL, None, port=port))
