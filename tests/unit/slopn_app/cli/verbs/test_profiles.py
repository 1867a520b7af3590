from __future__ import annotations

from msgspec.structs import replace

from slopn_wire.commands import ChangeProfile, RemoveProfile
from slopn_wire.events import Done, ErrorKind, Refused
from support.fake_helper import FakeHelper
from support.samples import CONNECTED, KEY
from support.slopn import Slopn


def test_the_list(helper: FakeHelper, slopn: Slopn) -> None:
    """Name, gateways, addresses, DNS; a star for the one in use; notes on stderr."""
    helper.show(CONNECTED)
    outcome = slopn("profiles")
    assert outcome.status == 0
    assert outcome.out.splitlines() == [
        "   NAME    GATEWAY                ADDRESSES                 DNS",
        "*  berlin  vpn.example.org:51820  10.8.0.2/32, fd00::2/128  10.8.0.1",
        "   paris   [2001:db8::1]:443      10.9.0.2/24               unchanged",
    ]
    assert outcome.err == "paris: paris.conf:7:1: PostUp is kept but never run.\n"


def test_the_document(helper: FakeHelper, slopn: Slopn) -> None:
    """The profiles as the helper has them."""
    helper.show(CONNECTED)
    document = slopn("profiles", "--json").json
    assert [profile["name"] for profile in document] == ["berlin", "paris"]
    assert document[0]["peers"][0]["public_key"] == KEY


def test_names_alone(helper: FakeHelper, slopn: Slopn) -> None:
    """One a line, for completion."""
    helper.show(CONNECTED)
    assert slopn("profiles", "--names") == (0, "berlin\nparis\n", "")
    assert slopn("profiles", "--names", "--json").json == ["berlin", "paris"]


def test_none(helper: FakeHelper, slopn: Slopn) -> None:
    """A newcomer is told how to begin; a script gets an empty list."""
    helper.show(replace(CONNECTED, profiles=()))
    assert "slopn import FILE" in slopn("profiles").out
    assert slopn("profiles", "--json").json == []
    assert slopn("profiles", "--names").out == ""


def test_remove(helper: FakeHelper, slopn: Slopn) -> None:
    """The helper forgets it."""
    assert slopn("profiles", "--remove", "paris") == (0, "Removed paris.\n", "")
    assert helper.commands == [RemoveProfile("paris")]
    helper.answer(RemoveProfile, Done(("note",)))
    assert slopn("profiles", "--remove", "paris", "--json").json == {"removed": "paris", "notes": ["note"]}


def test_remove_is_refused_while_in_use(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 1, in the helper's words."""
    helper.answer(RemoveProfile, Refused(ErrorKind.FAILED, "paris is in use."))
    assert slopn("profiles", "--remove", "paris") == (1, "", "slopn: paris is in use.\n")


def test_names_and_remove_exclude_each_other(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 2, nothing was sent."""
    assert slopn("profiles", "--names", "--remove", "paris").status == 2
    assert helper.commands == []


def test_the_mtu(helper: FakeHelper, slopn: Slopn) -> None:
    """`auto`, or a number; a fixed one is said below the list."""
    outcome = slopn("profiles", "paris", "--mtu", "1380")
    assert outcome == (0, "MTU of paris: 1380.\n", "")
    assert slopn("profiles", "paris", "--mtu", "auto", "--json").json == {"changed": "paris", "mtu": None, "notes": []}
    assert helper.commands == [ChangeProfile("paris", mtu=1380), ChangeProfile("paris", mtu=0)]
    refused = slopn("profiles", "paris", "--mtu", "wide")
    assert refused.status == 2
    assert "The MTU is `auto` or a number of bytes; 'wide' is neither." in refused.err
    assert slopn("profiles", "--mtu", "auto").status == 2
    helper.show(replace(CONNECTED, profiles=(replace(CONNECTED.profiles[0], mtu=1380),)))
    assert "the MTU is fixed: 1380" in slopn("profiles").err
