from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import Any

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.desk import WAITING, Desk
from slopn_helper.gateway.bans.lines import Refusal
from slopn_helper.host.firewall import FirewallError
from slopn_helper.host.routes import RouteError
from slopn_wire.profile import IPNetwork
from support.until import until

NOW = 1_800_000_000.0
WITHIN = 30.0
STRANGER = Refusal(ip_address("192.0.2.7"), Why.BAD_TOKEN)


class FakeNft:
    """A kernel that takes everything, as long as it isn't broken."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.threads: set[int] = set()
        self.broken = False
        self.hold = threading.Event()
        self.hold.set()

    def run(self, commands: str) -> None:
        """Note it."""
        self.hold.wait(WITHIN)
        self.threads.add(threading.get_ident())
        if self.broken:
            raise FirewallError("no netlink")
        self.ran.append(commands)

    def listing(self, family: str, table: str) -> Sequence[Mapping[str, Any]] | None:
        """Nothing is there."""
        del family, table
        if self.broken:
            raise FirewallError("no netlink")
        return None

    @property
    def banned(self) -> bool:
        """Whether the stranger is."""
        return any("banned4 { 192.0.2.7 timeout" in each for each in self.ran)


@contextmanager
def desk(nft: FakeNft, *, enabled: bool = True, heal_every: float = 3600.0) -> Iterator[Desk]:
    """At work."""
    allowed = (ip_network("127.0.0.0/8"),)
    made = Desk(lambda: nft, lambda: allowed, lambda: NOW, enabled=enabled, heal_every=heal_every)
    made.start()
    try:
        yield made
    finally:
        made.close(WITHIN)


def test_a_ban_comes_from_the_desks_own_thread() -> None:
    """Whoever hands refusals in goes on at once; the fifth is a ban."""
    nft = FakeNft()
    with desk(nft) as made:
        for _ in range(5):
            made.refused(STRANGER)
        until(lambda: nft.banned, WITHIN, "the stranger is banned")
        until(lambda: made.in_force == 1, WITHIN, "the ban is counted")
    assert threading.get_ident() not in nft.threads
    assert len(nft.threads) == 1


def test_what_waits_is_bounded() -> None:
    """While the kernel hangs, refusals beyond the queue are counted and dropped, and nobody waits."""
    nft = FakeNft()
    nft.hold.clear()
    with desk(nft) as made:
        for _ in range(WAITING + 50):
            made.refused(STRANGER)
        assert 40 <= made.dropped <= 50
        nft.hold.set()
        until(lambda: nft.banned, WITHIN, "the stranger is banned")


def test_a_kernel_that_refuses_is_trouble_until_it_does_not() -> None:
    """It is tried again with the next refusal, and now and then."""
    nft = FakeNft()
    nft.broken = True
    with desk(nft) as made:
        until(lambda: made.trouble is not None, WITHIN, "it says that bans aren't in force")
        nft.broken = False
        made.refused(STRANGER)
        until(lambda: made.trouble is None, WITHIN, "bans are in force")


def test_without_bans_there_are_lines_alone() -> None:
    """Fail2Ban does it: no table is made."""
    nft = FakeNft()
    with desk(nft, enabled=False) as made:
        for _ in range(9):
            made.refused(STRANGER)
    assert nft.ran == []
    assert made.trouble is None


def test_one_that_was_never_started_can_be_closed() -> None:
    """A start that failed before."""
    Desk(FakeNft, tuple, lambda: NOW, enabled=True).close()


def test_no_fault_ends_the_bans() -> None:
    """The network can't be looked at, or something nobody thought of: told, tried again, and bans come afterwards."""
    for fault in (RouteError("no netlink"), RuntimeError("a mistake of ours")):
        nft, asked = FakeNft(), [0]

        def allowed(asked: list[int] = asked, fault: Exception = fault) -> Iterable[IPNetwork]:
            asked[0] += 1
            if asked[0] == 1:
                raise fault
            return ()

        made = Desk(lambda nft=nft: nft, allowed, lambda: NOW, enabled=True, heal_every=3600.0)  # type: ignore[misc]
        made.start()
        until(lambda made=made: made.trouble is not None, WITHIN, "it is told")  # type: ignore[misc]
        for _ in range(10):
            made.refused(STRANGER)
        until(lambda nft=nft: nft.banned, WITHIN, "the ban")  # type: ignore[misc]
        made.close(WITHIN)
