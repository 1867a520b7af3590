from __future__ import annotations

import logging
from ipaddress import ip_address
from typing import Any

import pytest

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.book import Book, Terms
from slopn_helper.gateway.bans.builtin import BuiltInBans
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.gateway.bans.lines import LOGGER, Refusal
from slopn_helper.host.firewall import FirewallError

REFUSAL = Refusal(ip_address("203.0.113.7"), Why.NOT_TLS, 5, "GET /")


class Nft:
    """Refuses while `error` is set."""

    def __init__(self) -> None:
        self.scripts: list[str] = []
        self.error: FirewallError | None = None

    def run(self, commands: str) -> None:
        """Notes it."""
        if self.error:
            raise self.error
        self.scripts.append(commands)

    def listing(self, family: str, table: str) -> list[dict[str, Any]] | None:
        """An empty table."""
        assert family, table
        return []


class World:
    """Bans with a clock of the test's."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.now = 1000.0
        self.nft = Nft()
        terms = Terms(failures=3)
        self.bans = BuiltInBans(Book(terms), Edge(self.nft), lambda: self.now, enabled=enabled)
        self.bans.start(())
        self.nft.scripts.clear()

    def refuse(self, refusal: Refusal, times: int = 3) -> None:
        """So many refusals at once."""
        for _ in range(times):
            self.bans.refused(refusal)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Those that Fail2Ban reads."""
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def test_each_refusal_has_its_line_and_the_third_a_ban(caplog: pytest.LogCaptureFixture) -> None:
    """At level warning, as the filter has it."""
    world = World()
    world.refuse(REFUSAL, 2)
    assert world.nft.scripts == []
    world.refuse(REFUSAL, 1)
    assert len(world.nft.scripts) == 1
    assert "banned4 { 203.0.113.7 timeout 600s" in world.nft.scripts[0]
    assert lines(caplog) == ['refused from=203.0.113.7 why=not_tls addr=203.0.113.7 port=5 more=0 said="GET /"'] * 3
    assert {record.levelno for record in caplog.records if record.name == LOGGER} == {logging.WARNING}


@pytest.mark.parametrize(
    ("enabled", "refusal"),
    [(False, REFUSAL), (True, Refusal(REFUSAL.address, Why.HANDSHAKE_FLOOD, proven=False))],
    ids=["switched off", "unproven"],
)
def test_nobody_is_banned(caplog: pytest.LogCaptureFixture, enabled: bool, refusal: Refusal) -> None:
    """Where Fail2Ban does it, and for what anybody could have sent in another's name; the lines are there."""
    world = World(enabled=enabled)
    world.refuse(refusal, 9)
    assert world.nft.scripts == []
    assert len(lines(caplog)) == 9


def test_a_flood_is_told_in_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    """The next line says how many there were."""
    world = World(enabled=False)
    world.refuse(REFUSAL, 1000)
    assert len(lines(caplog)) == 20
    world.now += 60
    world.refuse(REFUSAL, 1)
    assert "more=980" in lines(caplog)[-1]


def test_a_kernel_that_refuses_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal never fails its caller; who goes on failing is banned as soon as it works."""
    world = World()
    world.nft.error = FirewallError("no memory")
    world.refuse(REFUSAL)
    assert "the bans can't be changed: no memory" in caplog.text
    world.nft.error = None
    world.now += 3
    world.refuse(REFUSAL)
    assert len(world.nft.scripts) == 1
