from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any, Self, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import ctrlmsg
from pyroute2.netlink.nl80211 import nl80211cmd

from slopn_helper.host.netmon import nl80211
from slopn_helper.host.netmon.nl80211 import attributes, is_wireless, shown, ssid

FAMILY = 0x1C
ERROR = struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -19) + b"\0" * 16
"""NLMSG_ERROR: no such device."""


def encoded(kind_of: Any, command: int, kind: int, *attributes: tuple[str, Any]) -> bytes:
    """A message as pyroute2 writes it."""
    message = kind_of()
    message["cmd"] = command
    message["header"]["type"] = kind
    message["attrs"] = list(attributes)
    message.encode()
    return bytes(message.data)


FOUND = encoded(ctrlmsg, 1, nl80211.GENL_ID_CTRL, ("CTRL_ATTR_FAMILY_NAME", "nl80211"), ("CTRL_ATTR_FAMILY_ID", FAMILY))


def interface(name: str) -> bytes:
    """The answer to GET_INTERFACE for a station in the network `name`."""
    attrs = [("NL80211_ATTR_IFINDEX", 3), ("NL80211_ATTR_IFNAME", "wlan0"), ("NL80211_ATTR_IFTYPE", 2)]
    if name:
        attrs.append(("NL80211_ATTR_SSID", name))
    return encoded(nl80211cmd, 7, FAMILY, *attrs)


class FakeKernel:
    """A generic netlink socket that answers each question by the next of `answers`."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    def __call__(self) -> socket.socket:
        """As `socket.socket`."""
        return cast("socket.socket", self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send(self, data: bytes) -> None:
        """Take a question."""
        self.asked.append(data)

    def recv(self, _: int) -> bytes:
        """Answer it."""
        if not self.answers:
            raise BlockingIOError
        return self.answers.pop(0)


def test_the_network_of_a_station() -> None:
    """Two questions, for the family's number and for the device's attributes; the SSID is among the answers."""
    kernel = FakeKernel(FOUND, interface("Café 5G"))
    assert ssid(3, kernel) == "Café 5G"
    first, second = kernel.asked
    assert attributes(first) == {2: b"nl80211\0"}
    assert struct.unpack_from("=IHH", second) == (28, FAMILY, 1)
    assert attributes(second) == {3: struct.pack("=I", 3)}


@pytest.mark.parametrize(
    "answers",
    [
        (ERROR,),
        (FOUND, ERROR),
        (FOUND, interface("")),
        (FOUND, interface("x")[:30]),
        (FOUND,),
        (),
        (b"", b""),
        (FOUND[:-2],),
    ],
)
def test_no_network_and_no_answer_are_none(answers: tuple[bytes, ...]) -> None:
    """A kernel without Wi-Fi, a device that is gone or in no network, and what is cut short: nobody is asked twice."""
    assert ssid(3, FakeKernel(*answers)) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", None),
        (b"\0" * 32, None),
        (b"home", "home"),
        ("Grüße".encode(), "Grüße"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\x1b[2J\n", "a\\x1b[2J\\x0a"),
        ("\u202ex".encode(), "\\x202ex"),
        (b"x" * 40, "x" * 32),
    ],
)
def test_a_network_is_named_by_strangers(raw: bytes, text: str | None) -> None:
    """Whatever its bytes are, the text can be printed; a hidden network has no name."""
    assert shown(raw) == text


@given(st.binary(max_size=200))
def test_any_answer_is_read_or_left(data: bytes) -> None:
    """Cut, lengthened or made up: attributes that were in it, or none, and never an error."""
    for value in attributes(data).values():
        assert value in data


def test_this_kernel_answers_in_that_way() -> None:
    """The real kernel tells the number of its own family, and that there is none of another name."""
    with nl80211._connect() as sock:
        found = attributes(nl80211._ask(sock, nl80211.GENL_ID_CTRL, 3, 2, b"nlctrl\0"))
        assert struct.unpack("=H", found[1]) == (nl80211.GENL_ID_CTRL,)
        assert attributes(nl80211._ask(sock, nl80211.GENL_ID_CTRL, 3, 2, b"nosuch\0")) == {}


def test_wireless_is_what_has_a_phy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the link that cfg80211 makes for each of its devices."""
    (tmp_path / "wlan0/phy80211").mkdir(parents=True)
    (tmp_path / "eth0").mkdir()
    monkeypatch.setattr(nl80211, "_SYS", tmp_path)
    assert is_wireless("wlan0")
    assert not is_wireless("eth0")
    assert not is_wireless("gone0")
