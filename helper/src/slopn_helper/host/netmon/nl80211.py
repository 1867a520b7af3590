"""The name of the Wi-Fi network that a device is in: nl80211 over generic netlink (linux/nl80211.h, linux/genetlink.h).

The kernel knows it itself, whoever manages the device. Two questions and their answers are all of it; pyroute2 would
decode every attribute of the device for them, and asks for all of nl80211's groups first.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path

GENL_ID_CTRL = 0x10
_CTRL_GETFAMILY, _CTRL_FAMILY_ID, _CTRL_FAMILY_NAME = 3, 1, 2
_GET_INTERFACE, _IFINDEX, _SSID = 5, 3, 52
LONGEST_SSID = 32
"""Bytes, by IEEE 802.11."""
_NETLINK_GENERIC = 16
_REQUEST = 1
_HEADER = struct.Struct("=IHHIIBBH")
"""nlmsghdr, then genlmsghdr."""
_ATTRIBUTE = struct.Struct("=HH")
_LENGTH = 0x3FFF
_SYS = Path("/sys/class/net")


def is_wireless(device: str) -> bool:
    """Whether it is a Wi-Fi device. Others must not be asked of: the kernel would load the whole of cfg80211 to answer."""
    return (_SYS / device / "phy80211").exists()


def ssid(index: int, connect: Callable[[], socket.socket] | None = None) -> str | None:
    """The network that the device with this index is in, fit to be shown; None: in none, or it can't be said.

    Never waits: the kernel answers within the call.
    """
    try:
        with (connect or _connect)() as sock:
            family = attributes(_ask(sock, GENL_ID_CTRL, _CTRL_GETFAMILY, _CTRL_FAMILY_NAME, b"nl80211\0"))
            if len(number := family.get(_CTRL_FAMILY_ID, b"")) != 2:
                return None
            (nl80211,) = struct.unpack("=H", number)
            about = attributes(_ask(sock, nl80211, _GET_INTERFACE, _IFINDEX, struct.pack("=I", index)))
    except OSError:
        return None
    return shown(about.get(_SSID, b""))


def attributes(answer: bytes) -> dict[int, bytes]:
    """The attributes of one message; none of an error, or of one that is cut short."""
    found: dict[int, bytes] = {}
    if len(answer) < _HEADER.size:
        return found
    length, kind, *_ = _HEADER.unpack_from(answer)
    if kind < GENL_ID_CTRL or length > len(answer):
        return found
    at = _HEADER.size
    while at + _ATTRIBUTE.size <= length:
        size, number = _ATTRIBUTE.unpack_from(answer, at)
        if size < _ATTRIBUTE.size or at + size > length:
            return found
        found[number & _LENGTH] = answer[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
    return found


def shown(raw: bytes) -> str | None:
    """An SSID as text. It may be any bytes, and its sender a stranger: what can't be printed is escaped."""
    if not raw.strip(b"\0"):
        return None
    text = raw[:LONGEST_SSID].decode("utf-8", errors="backslashreplace")
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def _ask(sock: socket.socket, family: int, command: int, attribute: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    size = _ATTRIBUTE.size + len(value)
    about = _ATTRIBUTE.pack(size, attribute) + value + padding
    sock.send(_HEADER.pack(_HEADER.size + len(about), family, _REQUEST, 1, 0, command, 1, 0) + about)
    return sock.recv(65536)


def _connect() -> socket.socket:
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, _NETLINK_GENERIC
    )
    sock.connect((0, 0))
    return sock
