from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ipc.endpoints.pipe.sddl import (
    ADMINISTRATORS,
    CLIENT_ACCESS,
    FILE_CREATE_PIPE_INSTANCE,
    MAX_USERS,
    NETWORK,
    SYSTEM,
    Sid,
    descriptor,
)

ANN = "S-1-5-21-1004336348-1177238915-682003330-1001"
BEN = "S-1-5-21-1004336348-1177238915-682003330-1002"
CLARA = "S-1-12-1-3361513571-1099519543-1316421264-2873450173"
"""An account of Entra ID."""

NUMBERS = st.integers(0, (1 << 32) - 1)
SIDS = st.builds(Sid, NUMBERS, st.lists(NUMBERS, min_size=1, max_size=15).map(tuple))
ACCOUNTS = st.one_of(
    st.builds(
        lambda domain, rid: Sid(5, (21, *domain, rid)),
        st.tuples(NUMBERS, NUMBERS, NUMBERS),
        st.integers(1000, (1 << 32) - 1),
    ),
    st.builds(lambda parts: Sid(12, (1, *parts)), st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)),
)
SHAPE = re.compile(
    r"O:SYG:SYD:P\(D;;FA;;;NU\)\(A;;FA;;;SY\)\(A;;FA;;;BA\)"
    r"(?:\(A;;0x120083;;;S-1-(?:5-21|12-1)(?:-[0-9]+){4}\))*"
    r"S:\(ML;;NWNR;;;ME\)"
)

NOT_PEOPLE = {
    "everyone": "S-1-1-0",
    "anonymous": "S-1-5-7",
    "network": "S-1-5-2",
    "interactive users": "S-1-5-4",
    "authenticated users": "S-1-5-11",
    "this organisation": "S-1-5-15",
    "system": "S-1-5-18",
    "local service": "S-1-5-19",
    "BUILTIN users": "S-1-5-32-545",
    "BUILTIN guests": "S-1-5-32-546",
    "a domain's guest": "S-1-5-21-1-2-3-501",
    "a domain's users": "S-1-5-21-1-2-3-513",
    "a domain's computers": "S-1-5-21-1-2-3-515",
    "a domain itself": "S-1-5-21-1-2-3",
    "all application packages": "S-1-15-2-1",
    "a service": "S-1-5-80-1-2-3-4-5",
    "a logon session": "S-1-5-5-0-12345",
    "creator owner": "S-1-3-0",
    "null": "S-1-0-0",
    "low integrity": "S-1-16-4096",
}


def test_nobody_but_system_and_administrators() -> None:
    """Without a user the pipe is theirs alone."""
    assert descriptor([]) == "O:SYG:SYD:P(D;;FA;;;NU)(A;;FA;;;SY)(A;;FA;;;BA)S:(ML;;NWNR;;;ME)"


def test_users_stand_after_them() -> None:
    """Each user has an entry, in an order that doesn't depend on how they were given, and twice is once."""
    expected = (
        "O:SYG:SYD:P(D;;FA;;;NU)(A;;FA;;;SY)(A;;FA;;;BA)"
        f"(A;;0x120083;;;{ANN})(A;;0x120083;;;{BEN})(A;;0x120083;;;{CLARA})"
        "S:(ML;;NWNR;;;ME)"
    )
    assert descriptor(map(Sid.parse, (CLARA, BEN, ANN, BEN))) == expected


def test_a_user_can_talk_but_not_pose_as_the_helper() -> None:
    """Reading and writing, and none of what lets somebody add an instance, change the list or take the pipe over."""
    read_data, write_data = 0x1, 0x2
    write_dac, write_owner, delete = 0x4_0000, 0x8_0000, 0x1_0000
    generic = 0xF000_0000
    assert CLIENT_ACCESS & read_data
    assert CLIENT_ACCESS & write_data
    assert FILE_CREATE_PIPE_INSTANCE == 0x4
    assert not CLIENT_ACCESS & (FILE_CREATE_PIPE_INSTANCE | write_dac | write_owner | delete | generic)


@pytest.mark.parametrize("sid", NOT_PEOPLE.values(), ids=NOT_PEOPLE)
def test_no_group_and_nobody_special_can_be_let_in(sid: str) -> None:
    """What stands for many, for anybody or for a service has no place in the list."""
    with pytest.raises(ValueError, match="no person's account"):
        descriptor([Sid.parse(ANN), Sid.parse(sid)])


def test_the_list_has_an_end() -> None:
    """Windows takes no more than 64 KiB; that is told here, with words."""
    many = [Sid(5, (21, 1, 2, 3, 1000 + number)) for number in range(MAX_USERS + 1)]
    assert descriptor(many[:-1]).count("0x120083") == MAX_USERS
    with pytest.raises(ValueError, match="more than 512 users"):
        descriptor(many)


@given(st.lists(SIDS | ACCOUNTS, max_size=8))
def test_nothing_else_can_be_said(users: list[Sid]) -> None:
    """Whoever is asked for, the text has this shape and names exactly those, or there is none."""
    if all(sid.is_account for sid in users):
        text = descriptor(users)
        assert SHAPE.fullmatch(text)
        named = set(re.findall(r";;;(S-1-[0-9-]+)\)", text))
        assert named == {str(sid) for sid in users}
    else:
        with pytest.raises(ValueError):
            descriptor(users)


@given(SIDS)
def test_text_and_sid_are_the_same(sid: Sid) -> None:
    """Written and read again."""
    assert Sid.parse(str(sid)) == sid


@given(st.text(max_size=60) | st.from_regex(r"\A[sS]-[0-2]-[0-9x]{1,11}(-[0-9]{1,11}){0,17}\Z"))
def test_what_is_read_is_written_the_same(text: str) -> None:
    """There is one way to write each, so two texts can't be one user, and no text brings anything else along."""
    try:
        sid = Sid.parse(text)
    except ValueError:
        return
    assert str(sid) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "S-1-5",
        "s-1-5-18",
        "S-2-5-18",
        "S-1-5-018",
        "S-1-05-18",
        "S-1-5-18 ",
        "S-1-5-18\n",
        "S-1-5--18",
        "S-1-5-+18",
        "S-1-5-4294967296",
        "S-1-4294967296-18",
        "S-1-0x5-18",
        "S-1-5-1٨",
        "S-1-5" + "-1" * 16,
        "WD",
        f"{ANN})(A;;FA;;;WD",
    ],
)
def test_what_is_no_sid_is_refused(text: str) -> None:
    """Aliases, other spellings, numbers too large, and what would go on in the descriptor."""
    with pytest.raises(ValueError, match="no security identifier"):
        Sid.parse(text)


def test_a_sid_made_of_numbers_is_checked_as_well() -> None:
    """No parser in between: the same limits."""
    for authority, parts in ((5, ()), (5, (1,) * 16), (-1, (1,)), (5, (1 << 32,))):
        with pytest.raises(ValueError, match="no security identifier"):
            Sid(authority, parts)


def test_the_known_ones() -> None:
    """winnt.h's numbers."""
    assert [str(sid) for sid in (SYSTEM, ADMINISTRATORS, NETWORK)] == ["S-1-5-18", "S-1-5-32-544", "S-1-5-2"]
    assert Sid.parse(ANN).rid == 1001
