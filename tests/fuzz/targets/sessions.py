"""Which login session a caller is in: a user may name groups of processes below the own ones, and nobody else's session."""

from __future__ import annotations

import re

from slopn_helper.ipc.endpoints.unix import session_of

UNIT = re.compile(r"session-([A-Za-z0-9]+)\.scope")


def target(data: bytes) -> None:
    """The first unit below the slices of a line as the kernel ends lines: with a line feed, and with nothing else."""
    text = data.decode("utf-8", errors="replace")
    found = session_of(text)
    if found is None:
        return
    units = []
    for line in text.split("\n"):
        if line.count(":") >= 2:
            parts = line.split(":", 2)[2].split("/")
            units += [part for part in parts if part and not part.endswith(".slice")][:1]
    assert found in {match[1] for unit in units if (match := UNIT.fullmatch(unit))}, text


def seeds() -> list[bytes]:
    """Both versions of cgroups, a service, and names that a user chose."""
    return [
        b"0::/user.slice/user-1000.slice/session-c2.scope\n",
        b"12:pids:/user.slice\n1:name=systemd:/user.slice/user-1000.slice/session-7.scope\n",
        b"0::/system.slice/ssh.service\n",
        b"0::/user.slice/user-1000.slice/user@1000.service/app.slice/session-c1.scope\n",
        b"0::/user.slice/user-1000.slice/user@1000.service/x\r0::/user.slice/session-c1.scope\n",
        "0::/user.slice/user-1000.slice/user@1000.service/x\u20280::/user.slice/session-c1.scope\n".encode(),
    ]
