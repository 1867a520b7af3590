from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address
from timeit import timeit

import pytest

from slopn_helper.host.portal import LIMIT, LONGEST_LOCATION, NONE, UNKNOWN, Found, Verdict, check, judge, location

HOST = "portal.example.net"
PORTAL = Verdict(Found.PORTAL)
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nsuccess\n"


def answer(status: str, body: bytes = b"", **fields: str) -> bytes:
    """An HTTP answer; dashes in fields are written as underscores."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def to(url: str) -> Verdict:
    """A portal that sends people there."""
    return Verdict(Found.PORTAL, url)


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (GOOD, NONE),
        (answer("200 OK", b"success"), NONE),
        (answer("200 OK", b"  success\r\n\r\n"), NONE),
        (GOOD.replace(b"\r\n", b"\n"), NONE),
        (answer("200", b"4\r\nsucc\r\n4;x=y\r\ness\n\r\n0\r\n\r\n", Transfer_Encoding="chunked"), NONE),
        (answer("204 No Content"), NONE),
        (answer("204 No Content", b"hello"), UNKNOWN),
        (answer("200 OK", b"<html>Welcome</html>"), PORTAL),
        (answer("200 OK", b"successful log-in needed"), PORTAL),
        (answer("200 OK", b"6\r\n<html>\r\n0\r\n\r\n", Transfer_Encoding="chunked"), PORTAL),
        (answer("200 OK", b"\x1f\x8b\x08", Content_Encoding="gzip"), PORTAL),
        (answer("511 Network Authentication Required", b"<html>"), PORTAL),
        (answer("511 x", Location="https://hotel.example/"), to("https://hotel.example/")),
        (answer("302 Found", Location="http://hotel.example/in?x=1"), to("http://hotel.example/in?x=1")),
        (answer("307 T", Location="HTTPS://10.0.0.1:8443/in"), to("https://10.0.0.1:8443/in")),
        (answer("302 Found", Location="http://bücher.example/"), UNKNOWN),
        (answer("302 Found", Location="ftp://hotel.example/"), PORTAL),
        (answer("302 Found", Location="//hotel.example/in"), PORTAL),
        (answer("302 Found", Location="/in"), UNKNOWN),
        (answer("301 Moved", Location=f"https://{HOST.upper()}/success.txt"), UNKNOWN),
        (answer("302 Found"), UNKNOWN),
        (answer("200 OK"), UNKNOWN),
        (answer("200 OK", b"succ", Content_Length="8"), UNKNOWN),
        (answer("200 OK", b"success", Content_Length="99"), UNKNOWN),
        (answer("404 Not Found", b"<html>"), UNKNOWN),
        (answer("503 Unavailable", b"<html>"), UNKNOWN),
        (answer("200 OK", b"success", broken_line="x").replace(b"broken-line: ", b"broken line "), UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 3\r\n\r\nsuccess", UNKNOWN),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\nsuccess", UNKNOWN),
        (b"HTTP/1.1 99 x\r\n\r\nsuccess", UNKNOWN),
        (b"success", UNKNOWN),
        (b"", UNKNOWN),
        (b"\xff" * LIMIT, UNKNOWN),
    ],
)
def test_what_an_answer_says(data: bytes, verdict: Verdict) -> None:
    """The page or its absence is no portal; another page, 511 or another host is one; anything else says nothing."""
    assert judge(data, HOST, ended=True) == verdict


@pytest.mark.parametrize(
    "data", [GOOD, answer("200 OK", b"3\r\nsuc\r\n4\r\ncess\r\n0\r\n", Transfer_Encoding="chunked")]
)
def test_nothing_is_said_before_the_whole_page_is_there(data: bytes) -> None:
    """However the answer is cut into segments, it is waited for; an end before its end says nothing."""
    short = next(n for n in range(len(data) + 1) if judge(data[:n], HOST, ended=False) is not None)
    assert judge(data[:short], HOST, ended=False) == NONE
    assert data[:short].rstrip().endswith((b"success", b"0"))
    assert judge(data[: short - 1], HOST, ended=True) in {UNKNOWN, NONE}


def test_another_page_is_known_by_its_first_letter() -> None:
    """A portal that never ends its page isn't waited for."""
    assert judge(answer("200 OK", b"<", Content_Length="1000000"), HOST, ended=False) == PORTAL


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://hotel.example", "http://hotel.example"),
        ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/x"),
        ("http://bank.example@hotel.example/", None),
        ("http://hotel.example/\x1b[2J", None),
        ("http://hotel.example/a b", None),
        ("http://hotel.example/\u202e", None),
        ("http://[hotel", None),
        ("http://hotel.example:99999/", None),
        ("javascript:alert(1)", None),
        ("http:///x", None),
        ("http://hotel<b>.example/", None),
        ("http://hotel.example/in?" + "x" * LONGEST_LOCATION, "http://hotel.example/in"),
        ("http://hotel.example/" + "x" * LONGEST_LOCATION, "http://hotel.example/"),
        ("http://" + "x" * LONGEST_LOCATION, None),
    ],
)
def test_an_address_that_is_shown_can_do_no_harm(text: str, shown: str | None) -> None:
    """Plain ASCII, http or https, no user's name before the host, and short: else nothing, or its harmless beginning."""
    assert location(text) == shown


class WebServer:
    """A TCP server on loopback that says `parts`, then hangs up, or never does."""

    def __init__(self, parts: Sequence[bytes], *, hang: bool = False) -> None:
        self.parts = parts
        self.hang = hang
        self.asked: list[bytes] = []
        self._writers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Its port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
        for writer in self._writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(OSError, EOFError):
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            for part in self.parts:
                writer.write(part)
                await writer.drain()
            if self.hang:
                await reader.read()
            writer.close()


def verdict_of(server: WebServer, *first: str, timeout: float = 20.0) -> Verdict:
    """What a check finds that asks the addresses given, then loopback."""

    async def main() -> Verdict:
        async with server.running() as port:
            addresses = [ip_address(one) for one in (*first, "127.0.0.1")]
            url = f"http://{HOST}:{port}/success.txt?a=b"
            return await check(url, addresses, fwmark=None, device=None, timeout=timeout)

    return asyncio.run(main())


def test_one_plain_request_is_sent() -> None:
    """The page by its name and host, and no word about us: no cookie, no program's name."""
    server = WebServer([GOOD])
    assert verdict_of(server) == NONE
    (asked,) = server.asked
    first, host, *rest = asked.decode("ascii").splitlines()
    assert first == "GET /success.txt?a=b HTTP/1.1"
    assert host.startswith(f"Host: {HOST}:")
    assert {line.partition(":")[0] for line in rest if line} == {
        "Accept", "Accept-Encoding", "Cache-Control", "Connection",
    }  # fmt: skip


def test_the_next_address_is_asked_when_one_says_nothing() -> None:
    """An address where nobody listens, or of a family that the host has no way for, ends nothing."""
    server = WebServer([answer("302 Found", Location="http://hotel.example/")])
    assert verdict_of(server, "127.0.0.2", "2001:db8::1") == to("http://hotel.example/")


def test_an_endless_answer_is_cut_off() -> None:
    """Not more than the limit is read, though the other end sends for ever."""
    head = b"HTTP/1.1 200 OK\r\nX: "
    server = WebServer([head + b"x" * LIMIT * 100], hang=True)
    assert verdict_of(server) == UNKNOWN


@pytest.mark.parametrize("parts", [[], [b"HTTP/1.1 200 OK\r\n\r\nsucc"]])
def test_silence_is_waited_for_no_longer_than_told(parts: list[bytes]) -> None:
    """A server that takes the request and never ends its answer is given up on."""
    assert verdict_of(WebServer(parts, hang=True), timeout=0.2) == UNKNOWN


@pytest.mark.parametrize(
    "url", ["https://portal.example.net/", "http://user@h/", "http:///x", "", "http://a b/", "http://h/\r\nX: y", "http://ü/"]
)  # fmt: skip
def test_only_plain_http_is_asked(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Another address than a plain one is refused with a line in the log, and nobody is asked."""
    found = asyncio.run(check(url, [ip_address("127.0.0.1")], fwmark=None, device=None, timeout=5))
    assert found == UNKNOWN
    assert "not a plain http address" in caplog.text


def test_a_device_that_is_gone_says_nothing() -> None:
    """The network went away meanwhile: no answer, no error."""
    addresses = [ip_address("127.0.0.1")]
    found = asyncio.run(check(f"http://{HOST}/", addresses, fwmark=None, device="gone0", timeout=5))
    assert found == UNKNOWN


@pytest.mark.parametrize("value", ["x" + " " * 3000 + "y", " " * 3000 + "x", "x " * 1500, "x" + " " * 3000])
def test_blanks_in_a_field_cost_nothing(value: str) -> None:
    """They are gone at both ends and stand between."""
    assert judge(answer("302 Found", Location="http://h.example/" + value), HOST, ended=True) is not None
    many = timeit(lambda: judge(answer("200 OK", b"s", X=value), HOST, ended=False), number=20)
    few = timeit(lambda: judge(answer("200 OK", b"s", X="x" * len(value)), HOST, ended=False), number=20)
    assert many < 100 * few, "what it costs does not grow with the square of the blanks"
