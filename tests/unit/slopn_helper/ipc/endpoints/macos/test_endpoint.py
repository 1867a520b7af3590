from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import cast

import pytest

from slopn_helper.ipc.endpoints.macos.endpoint import MacPeers
from slopn_helper.ipc.endpoints.macos.peer import LOCAL_PEERCRED, LOCAL_PEERTOKEN, AuditToken, MacCredentials
from slopn_helper.ipc.endpoints.macos.requirement import Signer, requirement

SIGNER = Signer("A1B2C3D4E5", ("net.slopn.slopn",))
OURS, THEIRS = "/Applications/SloPN.app/Contents/MacOS/slopn", "/Users/ann/bin/other"


def token(pid: int, version: int = 1) -> bytes:
    """Of a process of user 501."""
    return struct.pack("@8I", 501, 501, 20, 501, 20, pid, 100, version)


class FakeMac:
    """One client: the process at the other end, and what each process runs."""

    def __init__(self, *tokens: bytes) -> None:
        self.tokens = list(tokens)
        self.threads: list[threading.Thread] = []
        self.required: list[str] = []

    def getsockopt(self, level: int, number: int, size: int) -> bytes:
        """Each question after the token gets the next answer; the last one stays."""
        assert level == 0
        if number == LOCAL_PEERCRED:
            return struct.pack("@IIh16I", 0, 501, 1, 20, *[0] * 15)
        assert (number, size) == (LOCAL_PEERTOKEN, 32)
        return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]

    def image(self, token: AuditToken) -> str | None:
        """Ours from version 2 on."""
        return OURS if token.version >= 2 else THEIRS

    def meets(self, token: AuditToken, requirement: str) -> bool:
        """As `image`."""
        self.threads.append(threading.current_thread())
        self.required.append(requirement)
        return token.version >= 2


def talk(mac: FakeMac, signer: Signer | None = SIGNER) -> tuple[MacCredentials, MacCredentials]:
    """Who it is when it connects, and once TLS stands."""
    peers = MacPeers(mac, signer)
    end = cast("socket.socket", mac)
    first = peers.connected(end)
    return first, asyncio.run(peers.secured(end, first))


def test_our_own_front_end() -> None:
    """Signed, but that is looked at only once TLS stands, and not in the loop's own thread."""
    mac = FakeMac(token(42, 2))
    first, later = talk(mac)
    assert (first.uid, first.pid, first.exe, first.signed) == (501, 42, OURS, False)
    assert (later.exe, later.signed) == (OURS, True)
    assert mac.required == [requirement(SIGNER)]
    assert mac.threads != [threading.main_thread()]


def test_a_strangers_program() -> None:
    """Named, and not ours."""
    _, later = talk(FakeMac(token(42, 1)))
    assert (later.exe, later.signed) == (THEIRS, False)


def test_a_build_that_is_not_signed_knows_no_program_of_its_own() -> None:
    """No team, no verdict."""
    mac = FakeMac(token(42, 2))
    _, later = talk(mac, None)
    assert (later.exe, later.signed) == (OURS, False)
    assert mac.required == []


@pytest.mark.parametrize(
    "tokens",
    [
        (token(42, 1), token(42, 2)),
        (token(42, 2), token(43, 2)),
    ],
    ids=["it has become one of ours", "another process goes on with it"],
)
def test_who_poses_as_ours_gains_nothing(tokens: tuple[bytes, ...]) -> None:
    """Between connecting and TLS the program has changed: it is nobody's any more."""
    _, later = talk(FakeMac(*tokens))
    assert (later.uid, later.exe, later.signed) == (501, None, False)


def test_one_that_changes_while_it_is_looked_at_is_not_ours() -> None:
    """The signature was that of a process that is no longer at the other end."""
    mac = FakeMac(token(42, 2), token(42, 2), token(42, 2), token(42, 3))
    _, later = talk(mac)
    assert mac.required
    assert not later.signed


def test_one_that_is_gone_is_not_ours() -> None:
    """It acts for somebody else by now, so its token tells nothing."""
    other = struct.pack("@8I", 0, 0, 0, 0, 0, 42, 100, 2)
    _, later = talk(FakeMac(token(42, 2), token(42, 2), other))
    assert not later.signed
