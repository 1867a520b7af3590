from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from slopn_helper.gateway.bans import Ban, By
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.gateway.bans.fail2ban import Fail2Ban
from slopn_helper.gateway.bans.sources import parse
from slopn_helper.gateway.bans.view import BansView
from slopn_helper.host.firewall.libnft import Nft
from support.bans_world import (
    ATTACKER4,
    ATTACKER6,
    ATTACKER6_TOO,
    FORGERIES,
    GATEWAY4,
    GATEWAY6,
    BansWorld,
    bans_world,
)
from support.fail2ban import fail2ban
from support.until import until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BansWorld]:
    """Nobody banned, no gateway started."""
    with bans_world(tmp_path) as made:
        yield made


def view(world: BansWorld, jail: Fail2Ban) -> BansView:
    """What `slopn-gateway bans` looks through."""
    with world.gateway.entered():
        return BansView(Edge(Nft()), jail, time.time)


def banned(seen: BansView) -> tuple[Ban, ...]:
    """Waits until somebody is."""

    def found() -> tuple[Ban, ...]:
        listing = seen.list()
        assert not listing.problems
        return listing.bans

    return until(found, 20.0, "Fail2Ban has banned somebody")


def dropped(world: BansWorld, source: str) -> bool:
    """Whether the action has run: Fail2Ban lists a ban a moment before."""
    return source in world.sets()


@pytest.mark.parametrize("backend", ["pyinotify", "polling"])
def test_five_bad_tokens_are_a_ban_until_it_is_lifted(world: BansWorld, tmp_path: Path, backend: str) -> None:
    """Both families, TCP and the rest, an IPv6 host's other addresses too; our view lists them and lifts them."""
    world.start("lines")
    with fail2ban(tmp_path, world.gateway, backend, world.gateway_log) as jail:
        seen = view(world, jail)
        for target, source, shown in ((GATEWAY4, ATTACKER4, ATTACKER4), (GATEWAY6, ATTACKER6, "2001:db8:a::/64")):
            world.attack(target, source=source)
            (ban,) = banned(seen)
            assert (ban.source, ban.by) == (parse(shown), By.FAIL2BAN)
            assert ban.until is not None
            assert ban.until - ban.since == 600
            assert abs(time.time() - ban.since) < 60
            until(partial(dropped, world, shown), 10.0, "the action has run")
            assert not world.answers_ping(world.attacker, target)
            for address in {source, ATTACKER6_TOO if source == ATTACKER6 else source}:
                assert not world.reaches(world.attacker, target, source=address)
            assert world.bystander_is_in()
            lifted = seen.lift(parse(shown))
            assert (lifted.by, lifted.problems) == ((By.FAIL2BAN,), ())
            assert seen.list().bans == ()
            assert world.answers_ping(world.attacker, target)


def test_who_forges_lines_bans_only_himself(world: BansWorld, tmp_path: Path) -> None:
    """20 names made to look like lines about the bystander: after each five the forger alone is banned."""
    world.start("lines")
    with fail2ban(tmp_path, world.gateway, "pyinotify", world.gateway_log) as jail:
        seen = view(world, jail)
        for start in range(0, len(FORGERIES), 5):
            for said in FORGERIES[start : start + 5]:
                world.attack(GATEWAY4, 1, said)
            assert [ban.source for ban in banned(seen)] == [parse(ATTACKER4)]
            until(lambda: ATTACKER4 in world.sets(), 10.0, "the action has run")
            assert world.bystander_is_in()
            seen.lift(parse(ATTACKER4))
    log = (tmp_path / "run/fail2ban.log").read_text(encoding="utf-8")
    assert log.count(f"] Found {ATTACKER4} ") == log.count("] Found ") == 20


@pytest.mark.long
def test_the_action_lives_with_the_built_in_bans(world: BansWorld, tmp_path: Path) -> None:
    """Whoever bans first, both show in one list and are lifted at once; Fail2Ban's end leaves the other's bans."""
    world.start("builtin")
    with fail2ban(tmp_path, world.gateway, "polling", world.gateway_log) as jail:
        seen = view(world, jail)
        world.attack(GATEWAY6, source=ATTACKER6)
        until(lambda: {ban.by for ban in seen.list().bans} == set(By), 20.0, "both have banned")
        assert {ban.source for ban in seen.list().bans} == {parse("2001:db8:a::/64")}
        assert seen.lift(parse("2001:db8:a::7")).by == (By.GATEWAY, By.FAIL2BAN)
        assert world.answers_ping(world.attacker, GATEWAY6)
        seen.add(parse(ATTACKER4), None)
        jail.add(parse("192.0.2.0"))
    assert "fail2ban" not in world.sets()
    assert [ban.source for ban in seen.list().bans] == [parse(ATTACKER4)]
    assert not world.answers_ping(world.attacker, GATEWAY4)


def test_the_allow_list_holds_against_fail2ban(world: BansWorld, tmp_path: Path) -> None:
    """The gateway's allow list is asked before Fail2Ban's sets."""
    world.start("lines", "203.0.113.0/24")
    with fail2ban(tmp_path, world.gateway, "polling", world.gateway_log) as jail:
        jail.add(parse(ATTACKER4))
        until(lambda: ATTACKER4 in world.sets(), 10.0, "the action has run")
        assert world.answers_ping(world.attacker, GATEWAY4)


def test_the_action_needs_no_gateway_and_mends_a_flush(world: BansWorld, tmp_path: Path) -> None:
    """Its table is made if there is none, again after `nft flush ruleset`, and gone at the end."""
    with fail2ban(tmp_path, world.gateway, "polling", world.gateway_log) as jail:
        jail.add(parse("192.0.2.1"))
        until(lambda: "192.0.2.1" in world.sets(), 10.0, "the action has run")
        world.gateway.run("nft flush ruleset")
        jail.add(parse("2001:db8:5::9"))
        until(lambda: "2001:db8:5::/64" in world.sets(), 10.0, "the action has mended its table")
        assert jail.lift(parse("2001:db8:5::9"))
        until(lambda: "2001:db8:5::/64" not in world.sets(), 10.0, "the ban is lifted")
    assert world.sets() == ""
