"""The page over HTTP: for who knows the address and comes from nowhere else."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from slopn_app.window.loopback import Loopback
from slopn_app.window.pages import Pages

PAGE = b'<meta http-equiv="Content-Security-Policy" content="script-src &#39;self&#39;"><title>x</title>'
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    """Of a page with one script."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(PAGE)
    (tmp_path / "assets/a.js").write_text("1")
    loopback = Loopback(Pages(tmp_path))
    yield loopback
    loopback.close()


def test_the_view_gets_the_page(loopback: Loopback) -> None:
    """With the rules in the header alone, which allow pywebview's bridge what it needs and not more."""
    with _DIRECT.open(loopback.home, timeout=10) as answer:
        assert answer.read() == b"<title>x</title>"
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    with _DIRECT.open(loopback.home.replace("index.html", "assets/a.js"), timeout=10) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"1", "text/javascript")


def test_it_is_on_this_computer_alone(loopback: Loopback) -> None:
    """No other address of it listens."""
    split = urlsplit(loopback.home)
    assert split.hostname == "127.0.0.1"
    with socket.socket() as other, pytest.raises(OSError):
        other.connect(("127.0.0.2", split.port or 0))


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/index.html", {}),
        ("/", {}),
        ("//index.html", {}),
        (f"/{'x' * 32}/index.html", {}),
        (None, {"Host": "evil.example"}),
        (None, {"Host": "localhost"}),
        (None, {"Origin": "http://evil.example"}),
        (None, {"Origin": "null"}),
        (None, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_others_get_nothing(loopback: Loopback, path: str | None, headers: dict[str, str]) -> None:
    """Who doesn't know the address, or is led to it by a page of somebody else's."""
    split = urlsplit(loopback.home)
    address = f"http://{split.netloc}{path or split.path}"
    with pytest.raises(urllib.error.HTTPError) as refused:
        _DIRECT.open(urllib.request.Request(address, headers=headers), timeout=10)
    assert (refused.value.code, refused.value.read()) == (403, b"")
    refused.value.close()


@pytest.mark.parametrize(
    "name", ["", "assets/", "assets/b.js", "../index.html", "assets/../index.html", "index.html?x"]
)
def test_there_is_nothing_else(loopback: Loopback, name: str) -> None:
    """Only the page's files."""
    split = urlsplit(loopback.home)
    path = split.path.replace("index.html", name)
    assert loopback.answer(path, {"Host": split.netloc}).status == 404


def test_the_page_is_known_by_its_whole_address(loopback: Loopback, tmp_path: Path) -> None:
    """Another window's page isn't this one's."""
    other = Loopback(Pages(tmp_path))
    try:
        assert loopback.is_page(loopback.home)
        assert loopback.is_page(f"{loopback.home}#logs")
        assert not loopback.is_page(other.home)
        assert not loopback.is_page(f"{loopback.home}?x")
        assert not loopback.is_page(None)
    finally:
        other.close()
