from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app.cli import channel as module
from slopn_app.cli.channel import PROTOCOL_MAJOR, Channel
from slopn_app.cli.failure import Failure, Status
from slopn_wire.codec import encode
from slopn_wire.commands import Connect, ImportProfile
from slopn_wire.events import (
    PROTOCOL,
    Done,
    ErrorKind,
    Event,
    Exported,
    Lagged,
    LogLine,
    Refused,
    Reply,
    ServerMessage,
    Snapshot,
    Stats,
)
from slopn_wire.framing import frame
from support.fake_helper import FakeHelper
from support.until import until

TIMEOUT = 20.0


@contextlib.contextmanager
def server(folder: Path, *sent: bytes) -> Iterator[str]:
    """A socket that says `sent` to its one client, whatever that asks, and hangs up; its path."""
    path = str(folder / "x")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        listener.listen()

        def speak() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1 << 16)
                for data in sent:
                    peer.sendall(data)

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            yield path
        finally:
            thread.join(TIMEOUT)


def messages(*sent: ServerMessage) -> bytes:
    """Framed as the helper does."""
    return b"".join(frame(encode(message)) for message in sent)


def failure_of(path: str) -> Failure:
    """What asking for a snapshot ends with."""
    with pytest.raises(Failure) as failed, Channel(path) as channel:
        channel.snapshot()
    return failed.value


def test_the_version_is_the_wires() -> None:
    """The constant that stands here, to spare the import, is the same."""
    assert PROTOCOL[0] == PROTOCOL_MAJOR


def test_requests_and_results(helper: FakeHelper) -> None:
    """A command arrives as it was meant, its result comes back as a document."""
    helper.answer(Connect, Done(("careful",)))
    with Channel(helper.path) as channel:
        assert channel.snapshot()["version"] == "fake"
        assert channel.do({"type": "connect", "profile": "berlin"}) == {"type": "done", "notes": ["careful"]}
        assert channel.logs(0.0, "debug")["lines"] == []
    assert Connect("berlin") in helper.commands


def test_the_environment_names_the_socket(helper: FakeHelper) -> None:
    """Without a path $SLOPN_SOCKET counts."""
    with Channel() as channel:
        assert channel.snapshot()["seq"] == 1
    assert helper.path == os.environ["SLOPN_SOCKET"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ErrorKind.INVALID, Status.USAGE),
        (ErrorKind.NOT_PERMITTED, Status.NOT_PERMITTED),
        (ErrorKind.FAILED, Status.FAILED),
    ],
)
def test_a_refusal_decides_the_status(helper: FakeHelper, kind: ErrorKind, status: Status) -> None:
    """And its sentence is what the user reads."""
    helper.answer(Connect, Refused(kind, "No.\nTry again."))
    with pytest.raises(Failure) as failed, Channel() as channel:
        channel.do({"type": "connect", "profile": None})
    assert failed.value.status is status
    assert failed.value.lines == ("No.", "Try again.")


def test_every_kind_of_refusal_has_a_status() -> None:
    """A new kind can't be forgotten."""
    assert set(module._STATUS) == set(ErrorKind)


def test_attempt_hands_back_what_is_wrong_with_the_input(helper: FakeHelper) -> None:
    """Only that: whoever isn't permitted fails as always."""
    command = {"type": "import_profile", "name": "x", "text": "", "filename": "x.conf", "replace": False}
    helper.answer(ImportProfile, Refused(ErrorKind.INVALID, "x.conf:1:1: empty"))
    with Channel() as channel:
        assert channel.attempt(command) == {"type": "refused", "kind": "invalid", "message": "x.conf:1:1: empty"}
        helper.answer(ImportProfile, Refused(ErrorKind.NOT_PERMITTED, "no"))
        with pytest.raises(Failure) as failed:
            channel.attempt(command)
    assert failed.value.status is Status.NOT_PERMITTED


def test_no_socket_is_unreachable(tmp_path: Path) -> None:
    """Status 3, and what that means for the traffic."""
    failure = failure_of(str(tmp_path / "none"))
    assert failure.status is Status.UNREACHABLE
    assert failure.lines[0] == f"SloPN's service isn't running. ({tmp_path}/none: No such file or directory)"
    assert failure.lines[1] == "Rules that were in force stay in force."


def test_a_dead_helpers_socket_is_unreachable(tmp_path: Path) -> None:
    """The file is there, nobody listens."""
    path = str(tmp_path / "x")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(path)
    assert failure_of(path).status is Status.UNREACHABLE


def test_a_path_that_is_too_long_is_unreachable(tmp_path: Path) -> None:
    """The system's limit is no crash."""
    assert failure_of(str(tmp_path / ("x" * 200))).status is Status.UNREACHABLE


def test_a_socket_of_others_is_not_permitted(helper: FakeHelper) -> None:
    """Status 4, and how to join the group."""
    folder = Path(helper.path).parent
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    before = os.geteuid()
    os.seteuid(65534)
    try:
        failure = failure_of(helper.path)
    finally:
        os.seteuid(before)
    assert failure.status is Status.NOT_PERMITTED
    assert "usermod -aG slopn" in failure.lines[1]


@pytest.mark.parametrize(
    ("sent", "status", "line"),
    [
        (b"", Status.UNREACHABLE, "SloPN's service has closed the connection."),
        (b"\x00\x00\x00\x09{", Status.UNREACHABLE, "SloPN's service has closed the connection."),
        (b"\xff\xff\xff\xff", Status.FAILED, "The helper's answer makes no sense"),
        (frame(b"{"), Status.FAILED, "The helper's answer makes no sense"),
        (frame(b"[]"), Status.FAILED, "The helper's answer makes no sense"),
        (frame(b"{}"), Status.FAILED, "The helper's answer makes no sense"),
        (frame(b"[" * 100_000), Status.FAILED, "The helper's answer makes no sense"),
        (frame(b'{"type":"reply"}'), Status.FAILED, "The helper's answer makes no sense"),
        (frame(b'{"type":"reply","id":1,"result":"done"}'), Status.FAILED, "The helper's answer makes no sense"),
        (frame(b"\xff"), Status.FAILED, "The helper's answer makes no sense"),
        (messages(Reply(1, Done())), Status.FAILED, "an answer that doesn't fit the question: done"),
        (messages(Reply(2, Done())), Status.FAILED, "an answer that doesn't fit the question: done"),
        (
            messages(Reply(0, Refused(ErrorKind.FAILED, "Too many programs are connected."))),
            Status.FAILED,
            "Too many programs are connected.",
        ),
        (
            messages(Reply(1, Snapshot(protocol=(2, 0)))),
            Status.FAILED,
            "The helper speaks version 2 of the protocol, this program version 1.",
        ),
    ],
)
def test_what_goes_wrong_on_the_line(tmp_path: Path, sent: bytes, status: Status, line: str) -> None:
    """Each is a sentence and a status, none a traceback."""
    with server(tmp_path, sent) as path:
        failure = failure_of(path)
    assert failure.status is status
    assert line in failure.lines[0]


def test_a_silent_helper_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 5 once the time for a reply is up."""
    monkeypatch.setattr(module, "REPLY_TIMEOUT", 0.05)
    path = str(tmp_path / "x")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        listener.listen()
        failure = failure_of(path)
    assert failure.status is Status.TIMED_OUT


def test_too_large_a_request_is_bad_input(helper: FakeHelper) -> None:
    """It is refused before it is sent."""
    with pytest.raises(Failure) as failed, Channel() as channel:
        channel.do({"type": "import_profile", "name": "x", "text": "x" * (1 << 20), "filename": "x", "replace": False})
    assert failed.value.status is Status.USAGE
    assert helper.commands == []


def test_events_before_a_reply_are_kept(helper: FakeHelper) -> None:
    """What streams in while a reply is awaited comes afterwards, in order."""

    def connect(_: object) -> Done:
        helper.hub.publish(Stats(1, 1), Stats(2, 2))
        return Done()

    helper.answer(Connect, connect)
    with Channel() as channel:
        assert channel.watch()["seq"] == 1
        channel.do({"type": "connect", "profile": None})
        helper.publish(Stats(3, 3))
        streamed = [channel.streamed(time.monotonic() + TIMEOUT) for _ in range(3)]
    assert [message and message["type"] for message in streamed] == ["event"] * 3
    assert [message and message.get("seq") for message in streamed] == [2, 3, 4]


def test_a_new_watch_forgets_old_events_but_no_log_line(tmp_path: Path) -> None:
    """They are in the new snapshot; the log isn't."""
    line = LogLine(1.0, "info", "x", "y")
    first = messages(
        Reply(1, Snapshot(seq=1)), Event(2, Stats()), line, Lagged(), Reply(2, Snapshot(seq=5)), Event(6, Stats())
    )
    with server(tmp_path, first) as path, Channel(path) as channel:
        channel.watch(logs=True)
        assert channel.watch(logs=True)["seq"] == 5
        following = [channel.streamed(time.monotonic() + TIMEOUT) for _ in range(2)]
    assert [message and message["type"] for message in following] == ["log", "event"]


def test_streamed_ends_at_its_deadline(helper: FakeHelper) -> None:
    """Nothing came: None, and the connection is still good."""
    with Channel(helper.path) as channel:
        channel.watch()
        assert channel.streamed(time.monotonic() + 0.01) is None
        assert channel.streamed(time.monotonic() - 1) is None
        assert channel.snapshot()["seq"] == 1


def test_an_unasked_reply_is_an_error(tmp_path: Path) -> None:
    """A helper that ends the conversation is heard while we only listen."""
    farewell = messages(Reply(1, Snapshot()), Reply(0, Refused(ErrorKind.FAILED, "Enough.")))
    with server(tmp_path, farewell) as path, Channel(path) as channel:
        channel.watch()
        with pytest.raises(Failure, match="Enough"):
            channel.streamed(time.monotonic() + TIMEOUT)


def test_wrong_results_are_seen(helper: FakeHelper) -> None:
    """Each question takes its own kind of answer alone."""
    helper.answer(Connect, Exported("text"))
    with Channel() as channel:
        with pytest.raises(Failure, match="exported"):
            channel.do({"type": "connect", "profile": None})
        with pytest.raises(Failure, match="done"):
            channel.export("x")


def test_closing_lets_the_helper_forget(helper: FakeHelper) -> None:
    """No subscriber stays behind."""
    with Channel() as channel:
        channel.watch()
    until(lambda: helper.run(lambda: not helper.hub.subscribers), TIMEOUT, "the subscription ends")
