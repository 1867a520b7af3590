from __future__ import annotations

import asyncio
import logging

import pytest

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.limits import Caps, Limits, Rate
from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.visitor import Visitor, too_much
from slopn_wire.events import ErrorKind

PEER = Credentials(uid=1000, gid=1000, pid=42, exe="/usr/bin/x", user="joe", session="c2")


def visitor(caps: Caps | None = None, uid: int | None = 1000) -> Visitor:
    """Of a user, or of root."""
    limits = Limits(caps)
    return Visitor(PEER, limits, limits.meter_of(uid, 0.0))


def test_a_refusal_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """Who, why and from where, in the fixed format; the first costs no time."""
    assert visitor().refuse(Why.NOT_TLS) == 0.0
    assert [record.getMessage() for record in caplog.records] == [
        'refused uid=1000 why=not_tls pid=42 session=c2 user="joe" exe="/usr/bin/x"'
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_a_flood_of_refusals_is_no_flood_of_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Some lines, and the number of those that were left out; the delay grows all the same."""
    mine = visitor(Caps(lines=Rate(5, 0.0), longest_delay=4.0))
    delays = [mine.refuse(Why.NOT_TLS) for _ in range(100)]
    assert len(caplog.records) == 5
    assert delays[-1] == 4.0
    assert mine.meter is not None
    assert mine.meter.unlogged == 95


def test_root_is_logged_and_never_delayed(caplog: pytest.LogCaptureFixture) -> None:
    """Each time."""
    mine = visitor(Caps(lines=Rate(5, 0.0)), uid=None)
    assert {mine.refuse(Why.NOT_TLS) for _ in range(20)} == {0.0}
    assert len(caplog.records) == 20


def test_few_refusals_wait_at_a_time() -> None:
    """One more isn't told at all, so that waiting costs the helper nothing; who needn't wait is always told."""

    async def go() -> None:
        mine = visitor(Caps(refusals_waiting=2))
        waiting = [asyncio.ensure_future(mine.wait(3600.0)) for _ in range(2)]
        await asyncio.sleep(0)
        assert not await mine.wait(3600.0)
        assert await mine.wait(0.0)
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)
        assert await mine.wait(0.001)

    asyncio.run(go())


def test_bytes_are_charged_to_the_user() -> None:
    """All connections of one user share what may be held, and give it back."""
    limits = Limits(Caps(bytes_held=100))
    first, second = (Visitor(PEER, limits, limits.meter_of(1000, 0.0)) for _ in range(2))
    other = Visitor(PEER, limits, limits.meter_of(1001, 0.0))
    with first.holding(60):
        assert not second.has_room(41)
        assert second.has_room(40)
        assert other.has_room(100)
    assert second.has_room(100)


def test_root_may_hold_what_it_likes() -> None:
    """The frames' own limit is left."""
    mine = visitor(Caps(bytes_held=1), uid=None)
    with mine.holding(1000):
        assert mine.has_room(1 << 30)


@pytest.mark.parametrize(
    "why", [Why.CONNECTION_RATE, Why.CONNECTIONS, Why.HANDSHAKES, Why.COMMAND_RATE, Why.COMMANDS, Why.MEMORY]
)
def test_a_limit_is_told_in_a_sentence(why: Why) -> None:
    """With what to do."""
    refused = too_much(why)
    assert refused.kind is ErrorKind.LIMITED
    assert "then try again" in refused.message
