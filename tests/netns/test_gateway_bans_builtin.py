from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper.gateway.bans import By, Why
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


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BansWorld]:
    """Nobody banned, no gateway started."""
    with bans_world(tmp_path) as made:
        yield made


def view(world: BansWorld) -> BansView:
    """What `slopn-gateway bans` looks through, without a Fail2Ban."""
    with world.gateway.entered():
        return BansView(Edge(Nft()), Fail2Ban(Path("/run/no/such/socket")), time.time)


@pytest.mark.parametrize(
    ("target", "source", "shown", "others"),
    [(GATEWAY4, "", ATTACKER4, ()), (GATEWAY6, ATTACKER6, "2001:db8:a::/64", (ATTACKER6_TOO,))],
    ids=["v4", "v6"],
)
def test_five_bad_tokens_are_a_ban_of_everything_until_it_is_lifted(
    world: BansWorld, target: str, source: str, shown: str, others: tuple[str, ...]
) -> None:
    """TCP and the rest are dropped, an IPv6 host's other addresses too; the list names it; lifting lets it in."""
    world.start("builtin")
    world.attack(target, 4, source=source)
    assert world.answers_ping(world.attacker, target)
    world.attack(target, 1, source=source)
    assert not world.answers_ping(world.attacker, target)
    for each in (source, *others):
        assert not world.reaches(world.attacker, target, source=each)
    assert world.bystander_is_in()
    seen = view(world)
    (ban,) = seen.list().bans
    assert (ban.source, ban.by, ban.why, ban.failures, ban.level) == (parse(shown), By.GATEWAY, Why.BAD_TOKEN, 5, 1)
    assert seen.lift(parse(shown)).by == (By.GATEWAY,)
    assert seen.list().bans == ()
    assert world.answers_ping(world.attacker, target)
    for each in (source, *others):
        assert world.reaches(world.attacker, target, source=each)


@pytest.mark.parametrize("target", [GATEWAY4, GATEWAY6], ids=["v4", "v6"])
def test_who_forges_lines_bans_only_himself(world: BansWorld, target: str) -> None:
    """20 names made to look like lines about the bystander: not one ban but the forger's, and each has its one line."""
    world.start("builtin")
    seen = view(world)
    for number, said in enumerate(FORGERIES, 1):
        world.attack(target, 1, said)
        if number % 5 == 0:
            bans = seen.list().bans
            assert [ban.source for ban in bans] == [parse(ATTACKER4 if target == GATEWAY4 else ATTACKER6)]
            assert world.bystander_is_in()
            seen.lift(bans[0].source)
            world.heal()
    lines = world.gateway_log.read_text(encoding="utf-8").splitlines()
    refusals = [line for line in lines if '"component":"gateway.refusals"' in line]
    assert len(refusals) == len(FORGERIES) == 20


def test_bans_hold_while_the_gateway_is_dead_and_the_next_one_knows_them(world: BansWorld) -> None:
    """SIGKILL lets nobody in; after a restart the ban is still counted as the first, so that the next one is longer."""
    world.start("builtin")
    world.attack(GATEWAY4)
    world.kill()
    assert not world.answers_ping(world.attacker, GATEWAY4)
    before = view(world).list().bans
    world.start("builtin")
    assert not world.reaches(world.attacker, GATEWAY4)
    (after,) = view(world).list().bans
    assert (after.since, after.level, after.why) == (before[0].since, 1, Why.BAD_TOKEN)
    world.gateway.nft(f"delete element inet slopn_bans banned4 {{ {ATTACKER4} }}")
    world.heal()
    world.attack(GATEWAY4)
    (longer,) = view(world).list().bans
    assert longer.level == 2
    assert longer.until is not None
    assert longer.until - longer.since > 2000


def test_a_foreign_flush_is_healed(world: BansWorld) -> None:
    """After `nft flush ruleset` the bans are in force again as soon as the gateway looks."""
    world.start("builtin")
    world.attack(GATEWAY6, source=ATTACKER6)
    world.gateway.run("nft flush ruleset")
    assert world.answers_ping(world.attacker, GATEWAY6)
    world.heal()
    assert not world.answers_ping(world.attacker, GATEWAY6)
    assert world.bystander_is_in()


def test_whom_the_allow_list_names_is_never_kept_out(world: BansWorld) -> None:
    """Not by failures, not by hand, and not by an element that somebody has put into the kernel's set."""
    world.start("builtin", "203.0.113.0/24", "2001:db8:a::7/128")
    world.attack(GATEWAY4, 7)
    world.attack(GATEWAY6, 7)
    seen = view(world)
    assert seen.list().bans == ()
    with pytest.raises(ValueError, match="allow list"):
        seen.add(parse("2001:db8:a::/64"), 60.0)
    world.gateway.nft(f"add element inet slopn_bans banned4 {{ {ATTACKER4} timeout 60s }}")
    assert world.answers_ping(world.attacker, GATEWAY4)


def test_a_ban_by_hand_ends_by_itself(world: BansWorld) -> None:
    """`bans add` for a while, without the gateway's help; the kernel ends it."""
    world.start("builtin")
    world.kill()
    seen = view(world)
    seen.add(parse(ATTACKER4), 2.0)
    (ban,) = seen.list().bans
    assert (ban.why, ban.failures) == (Why.BY_HAND, None)
    assert not world.answers_ping(world.attacker, GATEWAY4)
    world.attacker.run(["ping", "-c1", "-W1", "-w20", "-n", GATEWAY4])
    assert seen.list().bans == ()


def test_the_gateway_can_leave_the_bans_to_fail2ban(world: BansWorld) -> None:
    """Then it writes its lines and keeps nobody out."""
    world.start("lines")
    world.attack(GATEWAY4, 7)
    assert view(world).list().bans == ()
    assert f"refused from={ATTACKER4} why=bad_token" in world.gateway_log.read_text(encoding="utf-8")
