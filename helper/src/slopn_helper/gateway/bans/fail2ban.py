"""Fail2Ban over its socket: whom our jail keeps out, and how to change it. Only root's socket is spoken to."""

from __future__ import annotations

import os
import re
import socket
import stat
import struct
import time
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from slopn_helper.gateway.bans import Ban, BansError, By, Why
from slopn_helper.gateway.bans.replies import CLOSE, END, LARGEST, BadReply, command, read
from slopn_helper.gateway.bans.sources import shown
from slopn_wire.profile import IPNetwork

SOCKET = Path("/run/fail2ban/fail2ban.sock")
JAIL = "slopn"
WITHIN = 3.0
"""Seconds for a command and its whole answer."""
_BAN = re.compile(r"(\S+) \t(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \+ (-?\d{1,12}) = ")
_UCRED = struct.Struct("iII")


class Fail2Ban:
    """One jail of one server. Every method waits for the answer, `WITHIN` seconds at most, and raises `BansError`.

    `owner` is the user whose socket and process it must be: root.
    """

    def __init__(self, path: Path = SOCKET, jail: str = JAIL, owner: int = 0) -> None:
        self._path = path
        self._jail = jail
        self._owner = owner

    def is_there(self) -> bool:
        """Whether there is a socket at all; without one Fail2Ban isn't installed, or doesn't run."""
        return self._path.is_socket()

    def bans(self) -> tuple[Ban, ...]:
        """In force; what isn't an address, such as the user of another jail, is left out."""
        answer = self._ask("get", self._jail, "banip", "--with-time")
        if not isinstance(answer, list):
            raise BansError("Fail2Ban has answered something else than a list of bans")
        found = (_ban(item) for item in answer)
        return tuple(ban for ban in found if ban is not None)

    def add(self, source: IPNetwork) -> None:
        """Ban it, for as long as the jail says."""
        self._ask("set", self._jail, "banip", shown(source))

    def lift(self, source: IPNetwork) -> bool:
        """Lift every ban within `source`; whether there was one."""
        within = [ban.source for ban in self.bans() if _is_within(ban.source, source)]
        for banned in within:
            self._ask("set", self._jail, "unbanip", shown(banned))
        return bool(within)

    def _ask(self, *words: str) -> Any:
        try:
            reply = read(self._exchange(command(*words)))
        except (OSError, BadReply) as error:
            raise BansError(f"Fail2Ban at {self._path} can't be asked: {error}") from error
        if not isinstance(reply, tuple | list) or len(reply) != 2:
            raise BansError(f"Fail2Ban refused: {str(reply)[:200]}")
        status, value = reply
        if status != 0:
            raise BansError(f"Fail2Ban refused: {str(value)[:200]}")
        return value

    def _exchange(self, message: bytes) -> bytes:
        ends = time.monotonic() + WITHIN
        self._examine()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(WITHIN)
            sock.connect(str(self._path))
            # What stands at the path may have changed since; who answers can't.
            _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            if uid != self._owner:
                raise PermissionError(f"user {uid} listens there")
            sock.sendall(message)
            data = bytearray()
            while not data.endswith(END):
                left = ends - time.monotonic()
                if left <= 0:
                    raise TimeoutError("it takes too long to answer")
                sock.settimeout(left)
                received = sock.recv(1 << 16)
                if not received:
                    raise ConnectionError("it hung up in the middle of its answer")
                data += received
                if len(data) > LARGEST:
                    raise BadReply("its answer has no end")
            sock.sendall(CLOSE)
        return bytes(data[: -len(END)])

    def _examine(self) -> None:
        status = os.lstat(self._path)
        if not stat.S_ISSOCK(status.st_mode):
            raise PermissionError("there is no socket")
        if status.st_uid != self._owner:
            raise PermissionError(f"the socket is user {status.st_uid}'s")
        folder = self._path.parent.stat()
        if folder.st_uid not in {0, self._owner} or folder.st_mode & 0o022:
            raise PermissionError("others may write in its folder")


def _ban(item: object) -> Ban | None:
    found = _BAN.match(item) if isinstance(item, str) else None
    if found is None:
        return None
    try:
        source = ip_network(found[1], strict=False)
        # Fail2Ban writes the host's local time, and names no zone.
        since = datetime.fromisoformat(found[2]).astimezone().timestamp()
    except ValueError:
        return None
    length = int(found[3])
    return Ban(source, By.FAIL2BAN, since, None if length < 0 else since + length, Why.UNKNOWN)


def _is_within(banned: IPNetwork, source: IPNetwork) -> bool:
    return banned.version == source.version and banned.subnet_of(source)  # type: ignore[arg-type]
