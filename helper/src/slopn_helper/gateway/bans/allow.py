"""Whom no ban keeps out, so that an administrator can't lock himself out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path

from slopn_wire.profile import IPAddress, IPNetwork

SESSIONS = Path("/run/systemd/sessions")
"""Where logind keeps what it knows of each session, as sd_session_get_remote_host(3) reads it."""
ALWAYS: tuple[IPNetwork, ...] = (
    ip_network("127.0.0.0/8"),
    ip_network("::1/128"),
    # All neighbours of a link share the one /64, and a translator's IPv4 clients share another (RFC 6052).
    ip_network("fe80::/10"),
    ip_network("64:ff9b::/96"),
)
"""The host itself, and networks of which a ban would hit everybody at once."""
_MOST = 1024
"""Sessions that are looked at."""


def networks(
    configured: Iterable[IPNetwork] = (), own: Iterable[IPAddress] = (), administrators: Iterable[IPAddress] = ()
) -> tuple[IPNetwork, ...]:
    """The whole allow list.

    `own`: the host's addresses. `administrators`: where who is logged in comes from (`logged_in`, `ssh_peer`).
    """
    single = (ip_network(_plain(address)) for address in (*own, *administrators))
    return tuple(dict.fromkeys((*ALWAYS, *configured, *single)))


def ssh_peer(environment: Mapping[str, str]) -> IPAddress | None:
    """Where the SSH session comes from that this program runs in: SSH_CONNECTION of ssh(1). None: from nowhere."""
    return _address(environment.get("SSH_CONNECTION", "").partition(" ")[0])


def logged_in(sessions: Path = SESSIONS) -> frozenset[IPAddress]:
    """Where the remote sessions of this host come from, of people who have proved who they are.

    Connections to the SSH port wouldn't do: a stranger has one as soon as he wants. Empty without logind.
    """
    found: set[IPAddress] = set()
    with contextlib.suppress(OSError):
        for path in sorted(sessions.iterdir())[:_MOST]:
            if path.suffix != ".ref":
                with contextlib.suppress(OSError, UnicodeDecodeError):
                    peer = remote_host(path.read_text(encoding="utf-8"))
                    found |= set() if peer is None else {peer}
    return frozenset(found)


def remote_host(session: str) -> IPAddress | None:
    """The address in a session's file of logind; None for a local one, or one that has a name instead."""
    fields = dict(line.split("=", 1) for line in session.splitlines() if "=" in line)
    return _address(fields.get("REMOTE_HOST", "")) if fields.get("REMOTE") == "1" else None


def _address(text: str) -> IPAddress | None:
    try:
        return _plain(ip_address(text))
    except ValueError:
        return None


def _plain(address: IPAddress) -> IPAddress:
    """Without a zone, and IPv4 as itself."""
    if address.version == 4:
        return address
    return address.ipv4_mapped or ip_address(str(address).partition("%")[0])
