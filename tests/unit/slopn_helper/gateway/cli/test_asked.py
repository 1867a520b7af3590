from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import asked
from slopn_wire import codec
from support.gateway_status import status


def answering(path: Path, answer: bytes) -> threading.Thread:
    """A socket that gives this answer to the first that asks."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()

    def work() -> None:
        with sock:
            connection, _ = sock.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def response(code: int, body: bytes) -> bytes:
    """HTTP/1.1."""
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (code, len(body), body)


def test_a_status_is_read(tmp_path: Path) -> None:
    """As the gateway gave it."""
    found = status()
    thread = answering(tmp_path / "s", response(200, codec.encode(found)))
    assert asked.status(tmp_path / "s") == found
    thread.join(30)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (response(503, b"{}"), "can't say"),
        (response(200, b"{}"), "version"),
        (b"hello\n", "doesn't answer"),
        (b"", "doesn't answer"),
    ],
)
def test_whatever_else_comes_is_a_sentence(tmp_path: Path, answer: bytes, sentence: str) -> None:
    """Nothing is taken for a status that isn't one."""
    thread = answering(tmp_path / "s", answer)
    with pytest.raises(cli.CliError, match=sentence):
        asked.status(tmp_path / "s")
    thread.join(30)


def test_nobody_there_says_how_to_start_it(tmp_path: Path) -> None:
    """A socket that was left behind as well."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "left"))
    for name in ("left", "none"):
        with pytest.raises(cli.CliError, match="systemctl start slopn-gateway"):
            asked.status(tmp_path / name)
