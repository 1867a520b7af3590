from __future__ import annotations

import os
import pickle
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway.bans import BansError, By, fail2ban
from slopn_helper.gateway.bans.fail2ban import Fail2Ban
from slopn_helper.gateway.bans.replies import CLOSE, END

BANS = [
    "192.0.2.1 \t2026-11-23 05:30:00 + 600 = 2026-11-23 05:40:00",
    "2001:db8::/64 \t2026-11-23 05:30:00 + -1 = 9999-12-31 23:59:59",
    "1001 \t2026-11-23 05:30:00 + 600 = 2026-11-23 05:40:00",
    "mallory \t2026-11-23 05:30:00 + 600 = 2026-11-23 05:40:00",
    "192.0.2.2 \t2026-99-99 05:30:00 + 600 = 2026-11-23 05:40:00",
    "192.0.2.3",
    7,
]
Answer = Callable[[list[str]], bytes | None]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, as a socket's must be."""
    with tempfile.TemporaryDirectory(prefix="slopn-f2b-") as made:
        yield Path(made)


@contextmanager
def server(path: Path, answer: Answer) -> Iterator[list[list[str]]]:
    """Answers each command by `answer`, or hangs up at None; the commands that came."""
    asked: list[list[str]] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    data = b""
                    while not data.endswith(END):
                        data += connection.recv(4096)
                    asked.append(pickle.loads(data.removesuffix(END)))  # noqa: S301 - our own command
                    reply = answer(asked[-1])
                    if reply is not None:
                        connection.sendall(reply)
                        assert connection.recv(4096) in {CLOSE, b""}

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def said(status: int, value: object) -> bytes:
    """As the real one frames it."""
    return pickle.dumps((status, value), 5) + END


def client(folder: Path) -> Fail2Ban:
    """Speaks to this user's own socket."""
    return Fail2Ban(folder / "f2b.sock", owner=os.getuid())


def test_bans_are_read_with_their_times(folder: Path) -> None:
    """Local time without a zone; what isn't a ban of an address is left out."""
    with server(folder / "f2b.sock", lambda _: said(0, BANS)) as asked:
        bans = client(folder).bans()
    assert asked == [["get", "slopn", "banip", "--with-time"]]
    assert [str(ban.source) for ban in bans] == ["192.0.2.1/32", "2001:db8::/64"]
    assert {ban.by for ban in bans} == {By.FAIL2BAN}
    assert bans[0].until == bans[0].since + 600
    assert bans[1].until is None


def test_lifting_takes_every_ban_within(folder: Path) -> None:
    """A person's ban of one address of the /64 too; the words are those of fail2ban-client(1)."""
    bans = [
        f"{one} \t2026-11-23 05:30:00 + 600 = "
        for one in ("2001:db8::/64", "2001:db8::7", "2001:db8:1::7", "192.0.2.1")
    ]
    with server(folder / "f2b.sock", lambda words: said(0, bans if words[0] == "get" else 1)) as asked:
        assert client(folder).lift(ip_network("2001:db8::/64"))
        assert not client(folder).lift(ip_network("192.0.2.9/32"))
        client(folder).add(ip_network("192.0.2.9/32"))
    assert [words for words in asked if words[0] == "set"] == [
        ["set", "slopn", "unbanip", "2001:db8::/64"],
        ["set", "slopn", "unbanip", "2001:db8::7"],
        ["set", "slopn", "banip", "192.0.2.9"],
    ]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (said(1, KeyError("slopn")), "refused: slopn"),
        (pickle.dumps("ERROR: too much", 5) + END, "refused: ERROR"),
        (said(0, "no list"), "something else"),
        (said(0, []) * 2, "can't be asked"),
        (b"HTTP/1.1 400 Bad Request" + END, "can't be asked"),
        (b"cos\nsystem\n(S'id'\ntR." + END, "can't be asked"),
        (None, "hung up"),
    ],
)
def test_other_answers_are_errors_with_a_sentence(folder: Path, reply: bytes | None, says: str) -> None:
    """Refusals, nonsense, attacks, and silence."""
    with server(folder / "f2b.sock", lambda _: reply), pytest.raises(BansError, match=says):
        client(folder).bans()


def test_who_doesnt_answer_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a silent one nor one that sends a byte now and then."""
    monkeypatch.setattr(fail2ban, "WITHIN", 0.2)
    done = threading.Event()

    def silent(_: list[str]) -> None:
        done.wait(10.0)

    with server(folder / "f2b.sock", silent):
        with pytest.raises(BansError, match="can't be asked"):
            client(folder).bans()
        done.set()


def test_an_answer_without_an_end_is_cut_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is bounded."""
    monkeypatch.setattr(fail2ban, "LARGEST", 1000)
    with server(folder / "f2b.sock", lambda _: b"x" * 5000), pytest.raises(BansError, match="no end"):
        client(folder).bans()


def test_a_strangers_socket_is_not_spoken_to(folder: Path) -> None:
    """Another owner, a link, a file, or a folder where others may write."""
    path = folder / "f2b.sock"
    with server(path, lambda _: said(0, [])) as asked:
        with pytest.raises(BansError, match=f"user {os.getuid()}'s"):
            Fail2Ban(path, owner=os.getuid() + 1).bans()
        (folder / "link").symlink_to(path)
        with pytest.raises(BansError, match="no socket"):
            Fail2Ban(folder / "link", owner=os.getuid()).bans()
        folder.chmod(0o777)
        with pytest.raises(BansError, match="others may write"):
            client(folder).bans()
        assert asked == []
        folder.chmod(0o700)
        assert client(folder).bans() == ()


def test_no_socket_is_no_fail2ban(folder: Path) -> None:
    """Not there, or a file."""
    assert not client(folder).is_there()
    (folder / "f2b.sock").touch()
    assert not client(folder).is_there()
    with pytest.raises(BansError, match="no socket"):
        client(folder).bans()
