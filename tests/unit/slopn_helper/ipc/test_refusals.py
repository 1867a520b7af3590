from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ipc.refusals import Why, line
from slopn_helper.ipc.verdicts import Problem

FORMAT = re.compile(
    r"refused uid=(?P<uid>\d+) why=(?P<why>[a-z_]+) pid=(?P<pid>\d+) session=(?P<session>-|[A-Za-z0-9]{1,32})"
    r'(?: more=(?P<more>[1-9]\d*))? user="(?P<user>[^"\\]|\\.)*" exe="(?P<exe>[^"\\]|\\.)*"'
)
"""What a filter of Fail2Ban looks for, from beginning to end."""


def test_a_refusal_by_example() -> None:
    """The format that the filter is written for."""
    told = line(Problem.UNKNOWN, uid=1001, pid=42, session="c2", user="mallory", exe="/home/mallory/x")
    assert told == 'refused uid=1001 why=unknown_certificate pid=42 session=c2 user="mallory" exe="/home/mallory/x"'


def test_what_is_not_known_is_empty() -> None:
    """The fields are always all there."""
    told = line(Why.NOT_TLS, uid=5, pid=0, session=None, user="5", exe=None, more=17)
    assert told == 'refused uid=5 why=not_tls pid=0 session=- more=17 user="5" exe=""'


@given(
    user=st.text(max_size=400),
    exe=st.none() | st.text(max_size=400) | st.text('"\\\n\r\x1b\x00 =uidwhy1', max_size=400),
    session=st.none() | st.text(max_size=50),
    more=st.integers(0, 1 << 40),
)
def test_nobody_can_forge_a_field_or_a_line(user: str, exe: str | None, session: str | None, more: int) -> None:
    """Whatever a stranger's name, program and session are: one line of ASCII, that is read in one way alone."""
    told = line(Why.FRAME, uid=1001, pid=7, session=session, user=user, exe=exe, more=more)
    found = FORMAT.fullmatch(told)
    assert found is not None
    assert (found["uid"], found["why"], found["pid"], found["more"]) == ("1001", "frame", "7", str(more or "") or None)
    assert told.isascii()
    assert told.isprintable()


def test_long_names_are_cut() -> None:
    """A line is never longer than a screen or two."""
    told = line(Why.FRAME, uid=1, pid=1, session="x" * 999, user="u" * 9999, exe="\x00" * 9999)
    assert len(told) < 2500
    assert "session=- " in told
    assert '\\u2026"' in told


def test_every_reason_is_a_word() -> None:
    """Of ours and of the gatekeeper's, and each stands for one thing."""
    words = [*Why, *Problem]
    assert len({*words}) == len(words)
    assert all(re.fullmatch(r"[a-z_]+", word) for word in words)
