"""Files and links that the window is started with."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from slopn_app.window import opened
from slopn_app.window.opened import NotOpened
from slopn_wire.enrolment import EnrolmentLink, make_link

CONF = "[Interface]\nPrivateKey = ä>?\n".encode()


def test_files(tmp_path: Path) -> None:
    """One push with all of them."""
    (tmp_path / "a.conf").write_bytes(CONF)
    (push,) = opened.pushes([str(tmp_path / "a.conf"), str(tmp_path / "a.conf")])
    assert push["kind"] == "open"
    assert [file["name"] for file in push["files"]] == ["a.conf", "a.conf"]


def test_no_file(tmp_path: Path) -> None:
    """The sentence names it."""
    with pytest.raises(NotOpened, match=r"none\.conf"):
        opened.pushes([str(tmp_path / "none.conf")])


@pytest.mark.parametrize("encode", [base64.urlsafe_b64encode, base64.b64encode])
def test_a_link_that_brings_a_profile(encode: type) -> None:
    """In both alphabets of base64; what is shown of the link holds no key."""
    push = opened.link(f"slopn://import/Z%C3%BCrich?conf={encode(CONF).decode().rstrip('=')}")
    assert base64.b64decode(push["files"][0]["data"]) == CONF
    assert push["files"][0]["name"] == "Zürich.conf"
    assert push["link"] == "slopn://import/Zürich"


def test_an_enrolment_link() -> None:
    """The page is to show what it holds; one that is cut short says so, without its token."""
    text = make_link(EnrolmentLink("vpn.example.org", 443, b"p" * 32, b"t" * 32))
    assert opened.pushes([text]) == [{"kind": "enrol", "link": text}]
    with pytest.raises(NotOpened, match="token") as caught:
        opened.link(text[:-3])
    assert "dHR0" not in str(caught.value)


def test_a_link_to_a_page() -> None:
    """Of the window."""
    assert opened.link("slopn://show/logs") == {"kind": "show", "page": "logs"}


@pytest.mark.parametrize(
    "text",
    [
        "slopn:",
        "slopn://",
        "slopn://connect/Berlin",
        "slopn://import/",
        "slopn://import/a",
        "slopn://import/a?conf=!",
        "slopn://import/a?conf=eA&replace=1",
        "slopn://import/a%2Fb?conf=eA",
        "slopn://import/a?conf=eA#x",
        "slopn://show/../etc",
        "slopn://show/secrets",
        "slopn://show/logs?x=1",
        "slopn://[/a",
        "slopn://import/a?conf=" + "A" * (64 << 10),
    ],
)
def test_links_that_mean_nothing(text: str) -> None:
    """Nothing is guessed, and above all nothing is done."""
    with pytest.raises(NotOpened):
        opened.link(text)
