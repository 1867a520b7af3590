"""The same policy by different firewalls: what it demands, what nftables' rules say, what Windows' filters say."""

from __future__ import annotations

from itertools import chain
from random import Random

import pytest
from msgspec import structs

from model.demanded import Demand
from model.nft_model import NftModel
from model.packets import NDP, TCP, UDP, Device, Evaluator, Packet, Way, Who, edges, random_packets
from model.policies import closed_policies
from model.wfp_model import Sublayer, WfpModel
from slopn_helper.host.firewall import Blocked, Open, Tunnelled
from slopn_helper.host.firewall.wfp.filters import Action, Filter, Layer, Lifetime
from slopn_helper.host.firewall.wfp.plan import plan

POLICIES = closed_policies()
FIREWALLS: dict[str, type[NftModel | WfpModel]] = {"nftables": NftModel, "wfp": WfpModel}
BLIND = {"nftables": frozenset[str](), "wfp": frozenset({"hops"})}
"""What a firewall can't see of a packet that leaves."""
EVERY = 12
"""Each so many-th policy, in the run that isn't long, and each so many-th edge of it times this."""


def sees(firewall: str, packet: Packet) -> bool:
    """Whether the firewall can judge it at all: a hop limit that no neighbour has is seen by some alone."""
    return not ("hops" in BLIND[firewall] and packet.way is Way.OUT and packet.kind in NDP and packet.hops != 255)


def check(policy: Blocked | Tunnelled, packets: list[Packet]) -> int:
    """Compare all verdicts on what begins something, and on the answers to it; how many were let pass."""
    demand = Demand(policy)
    made: dict[str, Evaluator] = {name: firewall(policy) for name, firewall in FIREWALLS.items()}
    passed = 0
    for packet in packets:
        lets = demand.lets(packet)
        passed += lets
        for name, firewall in made.items():
            if sees(name, packet):
                assert firewall.passes(packet) is lets, (name, lets, packet, policy)
        check_answer(policy, demand, made, packet, lets=lets)
    return passed


def check_answer(
    policy: Blocked | Tunnelled, demand: Demand, made: dict[str, Evaluator], packet: Packet, *, lets: bool
) -> None:
    """What was let out is answered. Of all else no firewall lets more pass than nftables does."""
    if is_to_many(packet):
        return
    answer = packet.answer
    says = {name: firewall.passes(answer) for name, firewall in made.items() if sees(name, packet)}
    if lets and packet.way is Way.OUT:
        # With the LAN open nftables takes no answers out of tunnels that aren't ours; Windows' follow their connection.
        if packet.protocol in {TCP, UDP} and packet.device in {Device.LOOPBACK, Device.ETHERNET}:
            assert all(says.values()), (says, answer, policy)
        return
    # Where packets leave Windows can't tell ours from others' answers to whom we ask: who isn't let begin gets none.
    asked = (answer.version, answer.there, answer.protocol, answer.there_port) in demand.asked
    if not (asked and packet.way is Way.IN and (policy.allow_lan or policy.only)):
        assert says["nftables"] or not any(says.values()), (says, answer, policy)


def is_to_many(packet: Packet) -> bool:
    """Nobody answers from such an address, or is answered there."""
    ends = (packet.there, packet.here)
    if packet.version == 4:
        return any(end >> 28 == 0xE or end == 0xFFFF_FFFF for end in ends)
    return any(end >> 120 == 0xFF for end in ends)


def test_every_kind_of_policy_is_there() -> None:
    """Each field of a policy is there empty and filled, in both kinds."""
    for kind in (Blocked, Tunnelled):
        those = [structs.asdict(policy) for policy in POLICIES if isinstance(policy, kind)]
        for field in structs.fields(kind):
            seen = {bool(policy[field.name]) for policy in those}
            assert seen == {True, False} or field.name in {"interface", "endpoints", "addresses"}, (kind, field.name)


@pytest.mark.parametrize("number", range(0, len(POLICIES), EVERY))
def test_policies_are_the_same_by_every_firewall(number: int) -> None:
    """Some policies, some of their edges and some random packets: the long run has all."""
    policy = POLICIES[number]
    packets = [*edges(policy, thin=97), *random_packets(policy, 500, Random(number))]
    assert 0 < check(policy, packets) < len(packets)


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(POLICIES)))
def test_every_policy_is_the_same_by_every_firewall(number: int) -> None:
    """Every policy: all packets at its edges, and 10,000 random ones."""
    policy = POLICIES[number]
    packets = chain(edges(policy), random_packets(policy, 10_000, Random(number)))
    assert check(policy, list(packets)) > 0


REACH = Packet(Way.OUT, 4, TCP, 0xC0A80114, 0xCB007109, 40000, 443, 0, Device.ETHERNET, Who.ANYBODY)
"""Somebody asks a stranger beside the tunnel."""
NEIGHBOUR = REACH._replace(there=0xC0A80107)


def theirs(action: Action, weight: int, flags: Lifetime = Lifetime.STATIC) -> Sublayer:
    """Another program's sublayer that says the same to everything."""
    return Sublayer(weight, [Filter(layer, 15, action, "theirs", (), flags) for layer in Layer])


@pytest.mark.parametrize("weight", [0, 0xFFFE])
def test_no_other_sublayer_opens_what_ours_closes(weight: int) -> None:
    """A block of ours is final."""
    assert WfpModel(Open(), theirs(Action.PERMIT, weight)).passes(REACH)
    assert not WfpModel(Blocked(), theirs(Action.PERMIT, weight)).passes(REACH)


def test_another_firewall_may_still_block_what_we_let_pass() -> None:
    """A permit of ours is no order."""
    assert WfpModel(Blocked(allow_lan=True)).passes(NEIGHBOUR)
    assert not WfpModel(Blocked(allow_lan=True), theirs(Action.BLOCK, 0)).passes(NEIGHBOUR)


@pytest.mark.parametrize("lifetime", [Lifetime.PERSISTENT, Lifetime.BOOT])
@pytest.mark.parametrize("number", range(0, len(POLICIES), 3 * EVERY))
def test_a_boot_in_mode_always_is_blocked(number: int, lifetime: Lifetime) -> None:
    """Before the helper's start there is what holds without a tunnel, whatever was in force; with the helper nothing else."""
    policy = POLICIES[number]
    lasting = Blocked(allow_lan=policy.allow_lan, excluded=policy.excluded, only=policy.only)
    packets = [*edges(policy, thin=301), *random_packets(policy, 200, Random(number))]
    demand, boot = Demand(lasting), WfpModel(policy, persist=True, alive=(lifetime,))
    running, plain = WfpModel(policy, persist=True), WfpModel(policy)
    for packet in packets:
        if sees("wfp", packet):
            assert boot.passes(packet) is demand.lets(packet), packet
        assert running.passes(packet) is plain.passes(packet), packet


@pytest.mark.parametrize("name", ["rest", "dns", "spoofed", "ours", "lan"])
def test_a_filter_that_is_missing_shows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison isn't blind: without the filters of one name it fails."""
    closed = (p for p in POLICIES if p.allow_lan and p.apis and p.addresses and not p.only)
    policy = next(closed)
    packets = list(edges(policy, thin=31))
    check(policy, packets)
    monkeypatch.setattr(
        "model.wfp_model.plan", lambda p, us, *, persist: [f for f in plan(p, us, persist=persist) if f.name != name]
    )
    with pytest.raises(AssertionError):
        check(policy, packets)
