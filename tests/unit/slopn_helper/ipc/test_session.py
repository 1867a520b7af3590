from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ipc.session import CONNECTION_ID, MAX_ID, MAX_KEY, SHORT, Session
from slopn_wire.codec import encode, server_decoder
from slopn_wire.commands import (
    ApplySettings,
    Command,
    Connect,
    Disconnect,
    GetSnapshot,
    ImportProfile,
    Pair,
    Replay,
    Request,
)
from slopn_wire.events import Done, ErrorKind, Event, Exported, Lagged, Refused, Reply, Stats
from slopn_wire.framing import MAX_MESSAGE, MAX_REQUEST, Deframer, frame
from slopn_wire.logs import LogLine, Logs
from slopn_wire.settings import Settings
from support.wire import values

REQUESTS = values(Request).filter(lambda request: 0 < request.id <= MAX_ID and len(request.key) <= MAX_KEY)


def payloads(raw: bytes) -> list[bytes]:
    """The frames in `raw`."""
    return list(Deframer(MAX_MESSAGE).feed(raw))


def only(raw: bytes | bytearray) -> object:
    """The one message in `raw`."""
    (payload,) = payloads(bytes(raw))
    return server_decoder.decode(payload)


@given(st.lists(REQUESTS, max_size=4), st.integers(1, 64))
def test_requests_come_out_in_order(requests: list[Request], size: int) -> None:
    """However the stream arrives, the requests are those that were sent, in order."""
    session = Session()
    stream = b"".join(frame(encode(request)) for request in requests)
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [item for chunk in chunks for item in session.receive(chunk)] == requests
    assert session.open


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_rubbish_never_raises(chunks: list[bytes]) -> None:
    """Arbitrary bytes give requests or one refusal at the very end, and no exception."""
    session = Session()
    items = [item for chunk in chunks for item in session.receive(chunk)]
    assert not any(isinstance(item, Refused) for item in items[:-1])
    assert session.open == (not items or not isinstance(items[-1], Refused))


@given(st.binary(max_size=200))
def test_framed_rubbish_is_refused(payload: bytes) -> None:
    """A frame of arbitrary bytes is no request: one refusal, and the conversation is over."""
    session = Session()
    (item,) = session.receive(frame(payload))
    assert isinstance(item, Refused)
    assert item.kind is ErrorKind.INVALID
    assert not session.open


@given(REQUESTS, st.data())
def test_broken_requests_never_raise(request: Request, data: st.DataObject) -> None:
    """A real request with some bytes changed is still a request, or refused."""
    raw = bytearray(encode(request))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (item,) = Session().receive(frame(bytes(raw)))
    assert isinstance(item, Request | Refused)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (frame(b"[]"), "not a request: Expected `object`, got `array`"),
        (frame(b'{"id":1,"command":{"type":"disconnect"}}x'), "trailing characters"),
        (frame(b'{"id":0,"command":{"type":"disconnect"}}'), "`id` must be from 1"),
        (frame(b'{"id":-4,"command":{"type":"disconnect"}}'), "`id` must be from 1"),
        (frame(b'{"id":9007199254740992,"command":{"type":"disconnect"}}'), "`id` must be from 1 to 9007199254740991"),
        (frame(b'{"id":1,"command":{"type":"connect","profile":"\xff"}}'), "not UTF-8"),
        (frame(b'{"id":1,"command":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"), "nested too deeply"),
        (
            frame(b'{"id":1,"key":"' + b"x" * (MAX_KEY + 1) + b'","command":{"type":"disconnect"}}'),
            "`key` must have at",
        ),
        (frame(b'{"id":1,"command":{"type":"get_snapshot","rights":["configure"]}}'), "unknown field `rights`"),
        (frame(b'{"id":1,"comand":{"type":"disconnect"}}'), "unknown field `comand`"),
        ((MAX_REQUEST + 1).to_bytes(4, "big"), f"a frame of {MAX_REQUEST + 1} bytes; at most {MAX_REQUEST}"),
        (b"GET / HTTP/1.1\r\n\r\n", "at most 1048576 are allowed"),
    ],
)
def test_a_malformed_frame_ends_the_conversation(raw: bytes, message: str) -> None:
    """One refusal that says what is wrong, and what follows is not read, however well formed."""
    session = Session()
    (refused,) = session.receive(raw)
    assert isinstance(refused, Refused)
    assert refused.kind is ErrorKind.INVALID
    assert message in refused.message
    assert list(session.receive(frame(encode(Request(1, Disconnect()))))) == []
    assert only(session.farewell(refused)) == Reply(CONNECTION_ID, refused)


def test_requests_before_the_mistake_come_out() -> None:
    """The refusal is the last item, after the good requests of the same chunk; those after it are not read."""
    good = frame(encode(Request(1, GetSnapshot())))
    items = list(Session().receive(good + frame(b"?") + good))
    assert items[0] == Request(1, GetSnapshot())
    assert isinstance(items[1], Refused)
    assert len(items) == 2


def test_a_reply_carries_the_requests_id() -> None:
    """The client finds its answer by the number it chose."""
    assert only(Session().reply(7, Done(("so it is",)))) == Reply(7, Done(("so it is",)))


def test_messages_are_framed_as_they_are() -> None:
    """Events, log lines and `Lagged` travel outside replies."""
    for message in (Event(4, Stats(1, 2)), Logs((LogLine(1, 1.5, "info", "x", "y"),)), Lagged()):
        assert only(Session().message(message)) == message


def test_an_answer_above_the_limit_becomes_a_refusal() -> None:
    """A client never gets a frame that it must refuse; its request still has a reply."""
    reply = only(Session().reply(9, Exported("x" * MAX_MESSAGE)))
    assert reply == Reply(9, Refused(ErrorKind.FAILED, "The answer is too large to send."))


def test_a_farewell_closes_the_session() -> None:
    """After the helper's last word nothing more is read."""
    session = Session()
    session.farewell(Refused(ErrorKind.FAILED, "enough"))
    assert not session.open
    assert list(session.receive(frame(encode(Request(1, Connect()))))) == []


@pytest.mark.parametrize("command", [ImportProfile("a", "x" * SHORT, "a.conf"), Replay(b"x" * SHORT)])
def test_a_request_with_a_file_may_be_long(command: Command) -> None:
    """Profiles and recordings are; whatever else is as long as that is refused, since small values need much room."""
    request = Request(7, command, "key")
    assert list(Session().receive(frame(encode(request)))) == [request]


@pytest.mark.parametrize(
    "command",
    [
        ApplySettings(Settings(resolvers=("::1",) * (SHORT // 6))),  # type: ignore[arg-type]
        Connect("x" * SHORT),
        Pair("x", "y" * SHORT),
    ],
)
def test_any_other_request_is_short(command: Command) -> None:
    """It ends the conversation, however well it is formed."""
    (refused,) = Session().receive(frame(encode(Request(1, command))))
    assert isinstance(refused, Refused)
    assert "not a request" in refused.message


def test_without_a_certificate_every_request_is_short() -> None:
    """The length alone is enough to refuse it: nothing is kept of a long one."""
    session = Session(files=False)
    (refused,) = session.receive((SHORT + 1).to_bytes(4, "big"))
    assert isinstance(refused, Refused)
    assert f"at most {SHORT}" in refused.message
    request = Request(1, Pair("x", "y" * 1000))
    assert list(Session(files=False).receive(frame(encode(request)))) == [request]


def test_a_session_says_what_it_holds() -> None:
    """Bytes of the request that came out, and of those that haven't yet."""
    session = Session()
    raw = frame(encode(Request(1, Disconnect())))
    assert list(session.receive(raw[:10])) == []
    assert session.waiting == 10
    for request in session.receive(raw[10:] + raw[:7]):
        assert isinstance(request, Request)
        assert (session.size, session.waiting) == (len(raw) - 4, 7)
    assert session.waiting == 7
