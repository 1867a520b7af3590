"""The log line of a refusal: one fixed format that people read and Fail2Ban filters match. Pure.

    refused uid=1001 why=unknown_certificate pid=42 session=c2 user="mallory" exe="/home/mallory/x"

Numbers and our own words come first; what a stranger may choose comes last, cut and escaped as in JSON, so that it
can't forge another field or line.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum

_LONGEST_USER = 64
_LONGEST_EXE = 256
_SESSION = re.compile(r"[A-Za-z0-9]{1,32}")


class Why(StrEnum):
    """The reason of a refusal, in a word for machines. `verdicts.Problem` has those of people and certificates."""

    CONNECTION_RATE = "connection_rate"
    CONNECTIONS = "connections"
    """Too many at the same time."""
    HANDSHAKES = "handshakes"
    """Too many that aren't done with their handshake."""
    NOT_TLS = "not_tls"
    OLD_TLS = "old_tls"
    FOREIGN_CERTIFICATE = "foreign_certificate"
    """Signed by somebody else, or by nobody."""
    HANDSHAKE = "handshake"
    """It failed for another reason."""
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    NOT_PAIRED = "not_paired"
    """A command that needs a certificate."""
    RIGHT = "right"
    """A command that needs a right which the front end hasn't."""
    ROOT_ONLY = "root_only"
    PAIRING = "pairing"
    """A pairing was not granted: a wrong number, too late, or too many that wait."""
    COMMAND_RATE = "command_rate"
    COMMANDS = "commands"
    """Too many at the same time."""
    MEMORY = "memory"
    """Too many bytes of requests that aren't carried out yet."""
    FRAME = "frame"
    """Not a request."""
    FRAME_TIMEOUT = "frame_timeout"
    """A request that doesn't come to its end."""
    SILENT = "silent"
    """Connected, and asked nothing."""
    LINGERING = "lingering"
    """Connected without a certificate for too long."""
    NOT_READING = "not_reading"
    KEY = "key"
    """A request's key that was another request's."""


def line(why: StrEnum, *, uid: int, pid: int, session: str | None, user: str, exe: str | None, more: int = 0) -> str:
    """The log line. `more`: refusals of this user since the last line that got none of their own."""
    if session is None or _SESSION.fullmatch(session) is None:
        session = "-"
    counted = f" more={more}" if more else ""
    told = f"user={_quoted(user, _LONGEST_USER)} exe={_quoted(exe or '', _LONGEST_EXE)}"
    return f"refused uid={uid} why={why} pid={pid} session={session}{counted} {told}"


def _quoted(text: str, longest: int) -> str:
    # ASCII alone: no line separator of Unicode, no change of the writing direction.
    return json.dumps(text if len(text) <= longest else text[:longest] + "…", ensure_ascii=True)
