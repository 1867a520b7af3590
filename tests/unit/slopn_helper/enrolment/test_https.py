"""One pinned request, against a real TLS server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.enrolment import https
from slopn_helper.enrolment.https import Answer, HttpsError, NotReached, WrongPin, parse, pin_of
from slopn_helper.gateway.certificate import ensure
from slopn_helper.runner import FWMARK
from support.aio import in_loop

HERE = ip_address("127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(
    folder: Path, serve: Serve, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> AsyncIterator[tuple[int, bytes]]:
    """Port and pin."""
    identity = ensure(folder, "vpn.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.chain_pem_path, identity.key_path)
    context.maximum_version = newest
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1], identity.pin
    finally:
        listening.close()


def answers(raw: bytes, heard: list[bytes], *, stay: bool = False) -> Serve:
    """A server that says `raw`, whatever it hears."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.read(65536))
            writer.write(raw)
            await writer.drain()
            while stay and await reader.read(100):
                pass
        except OSError:
            pass
        finally:
            writer.close()

    return serve


async def ask(port: int, pin: bytes) -> Answer:
    """One request."""
    return await https.post(HERE, port, "vpn.example.org", pin, "/v1/enrol", b'{"token":1}', FWMARK)


@in_loop
async def test_a_request_is_answered(tmp_path: Path) -> None:
    """Host and length are said, the body arrives, and so does the answer."""
    heard: list[bytes] = []
    raw = b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    async with server(tmp_path, answers(raw, heard)) as (port, pin):
        assert await ask(port, pin) == Answer(503, b"{}", 7.0)
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert body == b'{"token":1}'
    assert head.startswith(b"POST /v1/enrol HTTP/1.1\r\nHost: vpn.example.org:%d\r\n" % port)


@in_loop
async def test_nothing_is_sent_to_somebody_else(tmp_path: Path) -> None:
    """Another key: the connection ends before a byte of the request has left."""
    heard: list[bytes] = []
    async with server(tmp_path, answers(OK, heard)) as (port, pin):
        with pytest.raises(WrongPin):
            await ask(port, bytes(32))
        assert (await ask(port, pin)).status == 200
    assert [one for one in heard if one] == heard[-1:]


@in_loop
async def test_no_older_tls_will_do(tmp_path: Path) -> None:
    """A server that speaks TLS 1.2 at most isn't talked to."""
    heard: list[bytes] = []
    async with server(tmp_path, answers(OK, heard), ssl.TLSVersion.TLSv1_2) as (port, pin):
        with pytest.raises(NotReached):
            await ask(port, pin)
    assert not any(heard)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n{}",
    ],
)
@in_loop
async def test_what_is_cut_short_or_no_answer_is_refused(tmp_path: Path, raw: bytes) -> None:
    """In a sentence without what came."""
    async with server(tmp_path, answers(raw, [])) as (port, pin):
        with pytest.raises(HttpsError) as caught:
            await ask(port, pin)
    assert "OpenSSH" not in str(caught.value)


@in_loop
async def test_a_huge_answer_is_not_read(tmp_path: Path) -> None:
    """However large it says that it is."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (https.LARGEST * 4)
    async with server(tmp_path, answers(raw, [])) as (port, pin):
        with pytest.raises(HttpsError, match="larger"):
            await ask(port, pin)


@in_loop
async def test_who_says_nothing_is_waited_for_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the handshake nor after it."""
    monkeypatch.setattr(https, "ANSWER_WITHIN", 0.2)
    async with server(tmp_path, answers(b"", [], stay=True)) as (port, pin):
        with pytest.raises(HttpsError, match="no whole answer"):
            await ask(port, pin)
    monkeypatch.setattr(https, "CONNECT_WITHIN", 0.2)
    mute = await asyncio.start_server(answers(b"", [], stay=True), "127.0.0.1", 0)
    with pytest.raises(NotReached):
        await ask(mute.sockets[0].getsockname()[1], bytes(32))
    mute.close()


@in_loop
async def test_nobody_there() -> None:
    """Refused at once."""
    with pytest.raises(NotReached, match=r"127\.0\.0\.1"):
        await ask(1, bytes(32))


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail))
def test_any_bytes_are_an_answer_or_refused(raw: bytes) -> None:
    """No other error comes of what a stranger sends."""
    try:
        answer = parse(raw)
    except HttpsError:
        return
    assert 100 <= answer.status <= 999
    assert len(answer.body) <= len(raw)


@given(st.binary(max_size=200))
def test_a_certificate_that_is_none_has_no_pin(raw: bytes) -> None:
    """Which no link's equals."""
    assert pin_of(raw) == b""
