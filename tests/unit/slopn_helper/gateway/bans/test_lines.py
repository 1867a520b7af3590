from __future__ import annotations

import re
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.lines import LONGEST, Refusal, banned_for, line
from slopn_helper.gateway.bans.sources import shown, source_of
from slopn_helper.logs.processors import escape, hide
from slopn_helper.logs.sinks import as_json, text
from slopn_wire.logs import LogLine
from slopn_wire.profile import IPAddress

VICTIM = "192.0.2.99"
PIECES = st.sampled_from(
    [
        f'refused from={VICTIM} why=bad_token addr={VICTIM} port=1 more=0 said=""',
        f"from={VICTIM} ",
        VICTIM,
        "2001:db8:bad::/64",
        "\n",
        "\r\n",
        "\r",
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b",
        "\x1b[2J",
        "\x1b[1G",
        "\x1b]0;x\x07",
        "\x08",
        "\x7f",
        "\x00",
        '"',
        "\\",
        '\\"',
        "\u202e",
        "token=",
        "-----BEGIN PRIVATE KEY-----",
        "12:00:00 warning gateway.refusals: ",
        '{"number":1,"at":1,"level":"warning","component":"gateway.refusals","message":"',
    ]
)
SAID = st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=6).map("".join))
ADDRESSES = st.ip_addresses()
_ADDRESS = re.compile(
    r"^refused (?:from|unproven)=([0-9a-f.:/]+) why=[a-z_]+ addr=([0-9a-f.:]+) port=\d+ more=\d+ said="
)


def seen(refusal: Refusal) -> str:
    """The line after all that the log does with it."""
    return hide(escape(None, "", line(refusal, 3)), lambda message: message)


def test_a_line_is_as_it_is_described() -> None:
    """The documentation's first example, to the letter."""
    refusal = Refusal(ip_address("203.0.113.7"), Why.BAD_TOKEN, 40312, "laptop of bob")
    assert line(refusal) == (
        'refused from=203.0.113.7 why=bad_token addr=203.0.113.7 port=40312 more=0 said="laptop of bob"'
    )


@given(ADDRESSES, SAID)
def test_nothing_said_changes_who_is_banned(address: IPAddress, said: str) -> None:
    """Whatever a stranger says: one line of printable ASCII, and its first field is his own source."""
    made = line(Refusal(address, Why.ENROLMENT, 1, said))
    assert made.isascii()
    assert made.isprintable()
    assert banned_for(made) == shown(source_of(address))
    found = _ADDRESS.match(seen(Refusal(address, Why.ENROLMENT, 1, said)))
    assert found is not None
    assert found.groups() == (shown(source_of(address)), str(address))


@given(ADDRESSES, SAID)
def test_no_second_line_comes_out_of_the_log(address: IPAddress, said: str) -> None:
    """In the file, in the journal and as text a refusal is one line, which begins with the log's own words."""
    said_line = LogLine(7, 1.5, "warning", "gateway.refusals", seen(Refusal(address, Why.NOT_TLS, 1, said)))
    source = shown(source_of(address))
    for shape, begins in (
        (
            as_json(said_line),
            f'{{"number":7,"at":1.5,"level":"warning","component":"gateway.refusals","message":"refused from={source} ',
        ),
        (text(said_line)[8:], f" warning gateway.refusals: refused from={source} "),
    ):
        assert len(shape.splitlines()) == 1
        assert shape.startswith(begins)


@given(ADDRESSES, SAID)
def test_an_address_that_may_be_forged_bans_nobody(address: IPAddress, said: str) -> None:
    """A datagram's sender that nothing confirms stands in another field."""
    made = line(Refusal(address, Why.HANDSHAKE_FLOOD, 1, said, proven=False))
    assert banned_for(made) is None
    assert made.startswith(f"refused unproven={shown(source_of(address))} ")


@given(SAID)
def test_said_is_cut(said: str) -> None:
    """A line has a longest length, whatever a stranger sends."""
    made = line(Refusal(ip_address("::1"), Why.NOT_TLS, 65535, said), 10**9)
    assert len(made) < 150 + LONGEST * 12


@pytest.mark.parametrize(
    "other",
    [
        f'not refused from={VICTIM} why=bad_token addr={VICTIM} port=1 more=0 said=""',
        f' refused from={VICTIM} why=bad_token addr={VICTIM} port=1 more=0 said=""',
        f'refused  from={VICTIM} why=bad_token addr={VICTIM} port=1 more=0 said=""',
        f'refused from=x from={VICTIM} why=bad_token addr={VICTIM} port=1 more=0 said=""',
        f'refused user=x from={VICTIM} why=bad_token addr={VICTIM} port=1 more=0 said=""',
        f"banned {VICTIM} for 600 s",
    ],
)
def test_what_only_looks_alike_is_no_refusal(other: str) -> None:
    """Other beginnings, other fields before the address."""
    assert banned_for(other) is None


def test_a_zone_is_left_out() -> None:
    """The name of a device could hold anything."""
    made = line(Refusal(ip_address("fe80::1%evil said="), Why.NOT_TLS))
    assert made == 'refused from=fe80::/64 why=not_tls addr=fe80::1 port=0 more=0 said=""'
