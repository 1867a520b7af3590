"""What the helper answers to those who attack it."""

from __future__ import annotations

import ssl

from attacks.people import Line
from slopn_wire.events import ErrorKind, Refused, Reply


def kind(answer: object) -> ErrorKind:
    """Why it was refused; it must have been."""
    assert isinstance(answer, Refused), answer
    return answer.kind


def farewell(line: Line) -> ErrorKind:
    """Why the helper ends the connection; that must be the next thing it says, and the last."""
    reply = line.read()
    assert isinstance(reply, Reply), reply
    assert reply.id == 0
    assert line.ended()
    return kind(reply.result)


def shut_out(line: Line) -> bool:
    """Whether the helper answers with an alert of TLS, or nothing, whatever the client made of the handshake."""
    try:
        return line.read() is None
    except (ssl.SSLError, ConnectionError):
        return True
