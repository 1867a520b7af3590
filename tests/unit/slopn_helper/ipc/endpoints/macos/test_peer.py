from __future__ import annotations

import errno
import struct
from collections.abc import Callable

import pytest

from slopn_helper.ipc.endpoints.macos.peer import (
    LOCAL_PEERCRED,
    LOCAL_PEERPID,
    LOCAL_PEERTOKEN,
    AuditToken,
    MacCredentials,
    Xucred,
    credentials,
)

# As the kernel lays them out on both of Apple's processors, byte for byte.
XUCRED = bytes.fromhex(
    "00000000"  # cr_version
    "f5010000"  # cr_uid 501
    "0300"  # cr_ngroups, then two bytes that nobody sets
    "ffff"
    "14000000"  # 20 staff
    "0c000000"  # 12 everyone
    "50000000" + "eeeeeeee" * 13  # 80 admin
)
TOKEN = bytes.fromhex(
    "f5010000"  # who logged in
    "f5010000"  # effective user 501
    "14000000"
    "f5010000"
    "14000000"
    "39300000"  # process 12345
    "a4860100"  # session 100004
    "d2040000"  # version 1234
)


def kernel(**answers: bytes | OSError) -> Callable[[int, int], bytes]:
    """getsockopt(2) of a socket whose other end is Ann's `slopn`, with other answers where given."""
    said: dict[int, bytes | OSError] = {
        LOCAL_PEERCRED: answers.get("cred", XUCRED),
        LOCAL_PEERPID: answers.get("pid", struct.pack("@i", 12345)),
        LOCAL_PEERTOKEN: answers.get("token", TOKEN),
    }

    def option(number: int, size: int) -> bytes:
        answer = said[number]
        if isinstance(answer, OSError):
            raise answer
        return answer[:size]

    return option


def image(token: AuditToken) -> str | None:
    """The program of process 12345."""
    return "/Applications/SloPN.app/Contents/MacOS/slopn" if token.pid == 12345 else None


def test_the_numbers_are_those_of_the_headers() -> None:
    """sys/un.h."""
    assert (LOCAL_PEERCRED, LOCAL_PEERPID, LOCAL_PEERTOKEN) == (1, 2, 6)


def test_who_connected() -> None:
    """User and groups from the one, process and session from the other."""
    assert credentials(kernel(), image) == MacCredentials(
        uid=501,
        gid=20,
        groups=(12, 80),
        pid=12345,
        exe="/Applications/SloPN.app/Contents/MacOS/slopn",
        session="100004",
    )


def test_an_audit_token_as_libbsm_reads_it() -> None:
    """Its parts, and the whole for those who want that."""
    assert AuditToken.parse(TOKEN) == AuditToken(TOKEN, uid=501, pid=12345, session=100004, version=1234)


@pytest.mark.parametrize(
    "raw",
    [
        XUCRED[:-1],
        XUCRED + b"\0",
        b"\1" + XUCRED[1:],
        XUCRED[:8] + b"\x11\0" + XUCRED[10:],
        XUCRED[:8] + b"\0\0" + XUCRED[10:],
        XUCRED[:8] + b"\xff\xff" + XUCRED[10:],
        b"",
    ],
    ids=["short", "long", "another version", "17 groups", "no group", "less than none", "nothing"],
)
def test_a_layout_that_is_not_known_is_an_error(raw: bytes) -> None:
    """Never a guess at who it might be."""
    with pytest.raises(OSError, match="struct xucred"):
        Xucred.parse(raw)


def test_sixteen_groups_are_the_most() -> None:
    """All of them count then."""
    raw = struct.pack("@IIh16I", 0, 501, 16, *range(20, 36))
    assert Xucred.parse(raw) == Xucred(501, tuple(range(20, 36)))


@pytest.mark.parametrize(
    "token",
    [
        OSError(errno.ENOTCONN, "gone"),
        TOKEN[:-1],
        TOKEN[:4] + b"\0\0\0\0" + TOKEN[8:],
    ],
    ids=["gone", "another layout", "root by now"],
)
def test_without_a_fitting_token_no_program_is_named(token: bytes | OSError) -> None:
    """The process has ended, or runs a set-user-ID program by now: the user is known still."""
    found = credentials(kernel(token=token), image)
    assert (found.uid, found.pid, found.exe, found.session) == (501, 12345, None, None)


def test_no_number_is_no_error() -> None:
    """It is for the log."""
    gone = OSError(errno.ENOTCONN, "gone")
    assert credentials(kernel(token=gone, pid=gone), image).pid == 0


def test_without_a_user_there_is_no_client() -> None:
    """The one thing that must be known."""
    with pytest.raises(OSError, match="gone"):
        credentials(kernel(cred=OSError(errno.ENOTCONN, "gone")), image)
