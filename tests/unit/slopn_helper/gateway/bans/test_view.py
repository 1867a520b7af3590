from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from slopn_helper.gateway.bans import Ban, BansError, By, Why
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.gateway.bans.view import BansView
from slopn_helper.host.firewall import FirewallError
from slopn_wire.profile import IPNetwork

SOURCE = ip_network("203.0.113.7/32")
THEIRS = Ban(ip_network("2001:db8::/64"), By.FAIL2BAN, 0.0, 150.0, Why.UNKNOWN)
OURS: list[dict[str, Any]] = [
    {"set": {"name": "banned4", "elem": [{"elem": {"val": "203.0.113.7", "expires": 90}}, "203.0.113.8"]}},
    {"set": {"name": "allow4", "elem": ["198.51.100.9"]}},
]


class Nft:
    """The kernel's answer, and what it was told."""

    def __init__(self, objects: list[dict[str, Any]] | None, error: FirewallError | None = None) -> None:
        self._objects = objects
        self._error = error
        self.scripts: list[str] = []

    def run(self, commands: str) -> None:
        """Notes it."""
        self.scripts.append(commands)

    def listing(self, family: str, table: str) -> list[dict[str, Any]] | None:
        """The answer."""
        assert family, table
        if self._error:
            raise self._error
        return self._objects


class Jail:
    """Fail2Ban's side."""

    def __init__(self, *bans: Ban, there: bool = True, error: BansError | None = None) -> None:
        self._bans = bans
        self._there = there
        self._error = error
        self.lifted: list[IPNetwork] = []

    def is_there(self) -> bool:
        """As told."""
        return self._there

    def bans(self) -> tuple[Ban, ...]:
        """As told."""
        if self._error:
            raise self._error
        return self._bans

    def lift(self, source: IPNetwork) -> bool:
        """Notes it."""
        self.lifted.append(source)
        return any(ban.source == source for ban in self.bans())


def view(nft: Nft, jail: Jail) -> BansView:
    """At the time 100."""
    return BansView(Edge(nft), jail, lambda: 100.0)


def test_both_stand_in_one_list() -> None:
    """Those that end first come first, those without an end last."""
    listing = view(Nft(OURS), Jail(THEIRS)).list()
    assert [(str(ban.source), ban.by, ban.until) for ban in listing.bans] == [
        ("2001:db8::/64", By.FAIL2BAN, 150.0),
        ("203.0.113.7/32", By.GATEWAY, 190.0),
        ("203.0.113.8/32", By.GATEWAY, None),
    ]
    assert listing.problems == ()


def test_one_side_that_cant_be_asked_hides_nothing_of_the_other() -> None:
    """It is told that there may be more."""
    listing = view(Nft(OURS), Jail(error=BansError("it hung up"))).list()
    assert (len(listing.bans), listing.problems) == (2, ("it hung up",))
    listing = view(Nft(None, FirewallError("no")), Jail(THEIRS)).list()
    assert (listing.bans, listing.problems) == ((THEIRS,), ("the bans can't be read: no",))
    assert view(Nft(None), Jail(THEIRS, there=False)).list().bans == ()


def test_lifting_asks_both_and_says_who_had_banned() -> None:
    """Nobody is no error; a side that fails doesn't keep the other from it."""
    nft, jail = Nft(OURS), Jail(THEIRS)
    assert view(nft, jail).lift(SOURCE).by == (By.GATEWAY,)
    assert "delete element inet slopn_bans banned4 { 203.0.113.7 }" in nft.scripts[0]
    assert view(nft, jail).lift(THEIRS.source).by == (By.FAIL2BAN,)
    assert view(nft, jail).lift(ip_network("192.0.2.1")).by == ()
    assert jail.lifted == [SOURCE, THEIRS.source, ip_network("192.0.2.1")]
    lifted = view(nft, Jail(error=BansError("it hung up"))).lift(SOURCE)
    assert (lifted.by, lifted.problems) == ((By.GATEWAY,), ("it hung up",))
    lifted = view(Nft(None, FirewallError("no")), jail).lift(THEIRS.source)
    assert (lifted.by, lifted.problems) == ((By.FAIL2BAN,), ("the bans can't be read: no",))


def test_a_ban_by_hand_goes_to_the_kernel_unless_it_is_allowed_or_there_is_no_table() -> None:
    """What the gateway's allow list is, the kernel knows."""
    nft = Nft(OURS)
    ban = view(nft, Jail()).add(ip_network("2001:db8:1::/64"), 60.0)
    assert (ban.until, ban.why) == (160.0, Why.BY_HAND)
    assert "banned6 { 2001:db8:1:: timeout 60s" in nft.scripts[0]
    with pytest.raises(ValueError, match="allow list"):
        view(nft, Jail()).add(ip_network("198.51.100.9"), 60.0)
    with pytest.raises(BansError, match="hasn't run yet"):
        view(Nft(None), Jail()).add(SOURCE, None)
