"""Each must rule of docs/firewall.md, for any policy."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from slopn_helper.host.firewall import Blocked, Tunnelled
from slopn_helper.host.firewall.ruleset import chains, device_chains, render
from slopn_wire.profile import Endpoint
from support.firewall_rules import MARK, REASONS, accepting, by_name, family_of, is_lan, members, plain, stage

ANY_DNS = Tunnelled(allow_lan=False, endpoints=(Endpoint("203.0.113.10", 51820),), interface="slopn0")

IPV4 = st.ip_addresses(v=4)
IPV6 = st.ip_addresses(v=6)
ADDRESS_LISTS = st.lists(IPV4 | IPV6, max_size=4).map(tuple)
ENDPOINT_LISTS = st.lists(st.builds(Endpoint, (IPV4 | IPV6).map(str), st.integers(1, 65535)), max_size=4).map(tuple)
INTERFACES = st.from_regex(r"[a-z][a-z0-9_.-]{0,13}[0-9]", fullmatch=True)
BLOCKED = st.builds(
    Blocked,
    st.booleans(),
    ENDPOINT_LISTS,
    ADDRESS_LISTS,
    ADDRESS_LISTS,
    portal=st.lists(IPV4 | IPV6, max_size=2).map(tuple),
    apis=ENDPOINT_LISTS,
)
TUNNELLED = st.builds(
    Tunnelled,
    st.booleans(),
    ENDPOINT_LISTS,
    INTERFACES,
    ADDRESS_LISTS,
    ADDRESS_LISTS,
    resolvers=ADDRESS_LISTS,
    apis=ENDPOINT_LISTS,
)
CLOSED = BLOCKED | TUNNELLED

FEW = settings(max_examples=30, deadline=None)
"""The policies differ in little: a few dozen show it."""


@FEW
@given(CLOSED)
def test_must_1_one_transaction_replaces_the_table(policy: Blocked | Tunnelled) -> None:
    """The table is made, deleted and made again in one script: whatever was there before, and never flushed first."""
    script = render(policy, fwmark=MARK)
    assert script.startswith("table inet slopn\ndelete table inet slopn\ntable inet slopn {\n")
    assert "flush" not in script


@FEW
@given(CLOSED)
def test_must_2_output_input_and_forward_are_closed(policy: Blocked | Tunnelled) -> None:
    """The three chains drop by policy; what goes out is refused so that programs fail at once, what comes in is not."""
    made = by_name(policy)
    assert {name: chain.policy for name, chain in made.items() if chain.kind == "filter"} == {
        "prerouting": "accept", "output": "drop", "input": "drop", "forward": "drop",
    }  # fmt: skip
    refusal = (("tcp flags syn", "reject with tcp reset"), ("reject with icmpx admin-prohibited",))
    assert made["output"].rules[-2:] == refusal
    assert made["forward"].rules[-2:] == refusal
    assert made["input"].rules[-1] == ("drop",)


@FEW
@given(CLOSED)
def test_nothing_is_let_out_without_a_condition_of_the_list(policy: Blocked | Tunnelled) -> None:
    """Whatever leaves bears our mark, goes into the tunnel or to loopback, is DHCP or NDP, or stays on the LAN."""
    for name in ("output", "forward"):
        for rule in accepting(by_name(policy)[name]):
            reasons = [reason for reason, holds in REASONS.items() if holds(rule, policy)]
            assert reasons, rule
            assert name == "output" or not {"mark", "loopback", "dhcp", "ndp"} & set(reasons), rule


@FEW
@given(CLOSED)
def test_must_3_only_marked_packets_reach_an_endpoint(policy: Blocked | Tunnelled) -> None:
    """An endpoint is let through by mark, address, and UDP port together, and answers by connection alone."""
    made = by_name(policy)
    for endpoint in policy.endpoints:
        address = plain(endpoint.host)
        family = family_of(address)
        out = (f"meta mark {MARK:#x}", f"{family} daddr {address}", f"udp dport {endpoint.port}", "accept")
        back = (f"{family} saddr {address}", f"udp sport {endpoint.port}", "ct state established", "accept")
        assert out in made["output"].rules
        assert back in made["input"].rules
    marked = [rule for rule in made["output"].rules if rule[0].startswith("meta mark")]
    assert all(len(rule) == 4 and "daddr" in rule[1] and "dport" in rule[2] for rule in marked)


@FEW
@given(BLOCKED)
def test_must_3_a_captive_portal_is_looked_for_by_mark_alone(policy: Blocked) -> None:
    """TCP to port 80 of the addresses that the policy names, and answers by connection; of frames as of packets."""
    policy = structs.replace(policy, apis=())
    made = by_name(policy)
    frames = device_chains(policy, ("eth0",), fwmark=MARK)[0]
    asked = {r for c in (made["output"], frames) for r in accepting(c) if "tcp dport 80" in r}
    assert asked == {
        (f"meta mark {MARK:#x}", f"{family_of(a)} daddr {a}", "tcp dport 80", "accept")
        for a in map(plain, map(str, policy.portal))
    }
    back = {r for r in accepting(made["input"]) if "tcp sport 80" in r}
    assert back == {
        (f"{family_of(a)} saddr {a}", "tcp sport 80", "ct state established", "accept")
        for a in map(plain, map(str, policy.portal))
    }


@FEW
@given(CLOSED)
def test_must_3_an_enrolment_api_is_asked_by_mark_alone(policy: Blocked | Tunnelled) -> None:
    """TCP to its address and port, and answers by connection; of frames as of packets. Nothing but these and resolvers."""
    policy = structs.replace(policy, portal=()) if isinstance(policy, Blocked) else policy
    made = by_name(policy)
    frames = device_chains(policy, ("eth0",), fwmark=MARK)[0]
    wanted = {(plain(e.host), e.port) for e in policy.apis} | {(plain(str(a)), 53) for a in policy.resolvers}
    for chain in (made["output"], frames):
        out = {r for r in accepting(chain) if r[0].startswith("meta mark") and any("tcp dport" in part for part in r)}
        assert out == {
            (f"meta mark {MARK:#x}", f"{family_of(a)} daddr {a}", f"tcp dport {port}", "accept") for a, port in wanted
        }
    back = {r for r in accepting(made["input"]) if any("tcp sport" in part for part in r)}
    assert back == {
        (f"{family_of(a)} saddr {a}", f"tcp sport {port}", "ct state established", "accept") for a, port in wanted
    }


@FEW
@given(CLOSED)
def test_must_3_related_icmp_is_never_taken_from_the_underlay(policy: Blocked | Tunnelled) -> None:
    """`related` stands in rules of the tunnel's interface alone."""
    for chain in by_name(policy).values():
        for rule in chain.rules:
            if any("related" in statement for statement in rule):
                assert isinstance(policy, Tunnelled)
                assert rule[0] == f'iifname "{policy.interface}"'


@FEW
@given(CLOSED)
def test_must_4_replies_are_marked_after_conntrack(policy: Blocked | Tunnelled) -> None:
    """Every answer that the input chain takes by connection is marked in prerouting at -199, and not from the tunnel."""
    made = by_name(policy)
    assert made["prerouting"].priority == -199
    marking = [rule for rule in made["prerouting"].rules if rule[-1] == f"meta mark set {MARK:#x}"]
    underlay = (f'iifname != "{policy.interface}"',) if isinstance(policy, Tunnelled) else ()
    replies = [rule[:-1] for rule in made["input"].rules if "ct state established" in rule and "saddr" in rule[0]]
    assert [rule[:-1] for rule in marking] == [(*underlay, *reply) for reply in replies]


@FEW
@given(CLOSED)
def test_must_5_the_tunnels_addresses_are_guarded_always(policy: Blocked | Tunnelled) -> None:
    """Blocked as well as tunnelled, both families: only loopback and the tunnel may bring packets to its addresses."""
    guards = [rule for rule in by_name(policy)["prerouting"].rules if rule[-1] == "drop"]
    guarded = {member for rule in guards for member in members(rule[1])}
    assert guarded == {str(plain(str(address))) for address in policy.addresses}
    origin = f'iifname != {{ "lo", "{policy.interface}" }}' if isinstance(policy, Tunnelled) else 'iifname != "lo"'
    assert {rule[0] for rule in guards} <= {origin}


@FEW
@given(CLOSED)
def test_must_6_the_order_of_output(policy: Blocked | Tunnelled) -> None:
    """Endpoint, DHCP and NDP, the tunnel's DNS, block of all DNS, tunnel, LAN, refusal: in this order."""
    stages = [stage(rule, policy) for rule in by_name(policy)["output"].rules]
    assert stages == sorted(stages), stages


@FEW
@given(CLOSED)
def test_must_6_dns_leaves_through_the_tunnel_alone(policy: Blocked | Tunnelled) -> None:
    """Before the block of DNS, port 53 is open to marked packets and to the tunnel; after it, to nobody."""
    for name in ("output", "forward"):
        rules = by_name(policy)[name].rules
        block = rules.index(("udp dport { 53, 853, 5355 }", "reject with icmpx admin-prohibited"))
        assert rules[block - 1] == ("tcp dport { 53, 853, 5355 }", "reject with tcp reset")
        for rule in rules[:block]:
            if rule[-1] == "accept" and any("53" in member for s in rule if "dport" in s for member in members(s)):
                assert rule[0].startswith(("meta mark", 'oifname "', "ip6 saddr fe80::/10")) or "udp dport 67" in rule


def test_tunnelled_without_resolvers_lets_any_be_asked_inside() -> None:
    """A profile that names no resolver may ask any, through the tunnel."""
    rules = by_name(ANY_DNS)["output"].rules
    assert ('oifname "slopn0"', "udp dport { 53, 853 }", "accept") in rules
    assert ('oifname "slopn0"', "tcp dport { 53, 853 }", "accept") in rules


@FEW
@given(TUNNELLED)
def test_must_6_guests_ask_the_tunnels_resolver_in_place_of_others(policy: Tunnelled) -> None:
    """The first of the same family, whoever they ask beside the tunnel's and this host; nothing but port 53."""
    known = [plain(str(address)) for address in policy.dns]
    firsts = {family_of(address): address for address in reversed(known)}
    rules = by_name(policy)["resolvers"].rules if firsts else ()
    assert len(rules) == 2 * len(firsts)
    for origin, asked, elsewhere, port, verdict in rules:
        family = asked.split()[0]
        assert origin == f'iifname != {{ "lo", "{policy.interface}" }}'
        assert set(members(asked)) == {str(address) for address in known if family_of(address) == family}
        assert elsewhere == "fib daddr type != local"
        assert port in {"udp dport 53", "tcp dport 53"}
        assert verdict == f"dnat {family} to {firsts[family]}"
    assert "resolvers" not in {chain.name for chain in chains(policy, fwmark=MARK, redirect=False)}
    held = structs.replace(policy, only=(ip_network("192.0.2.0/24"),))
    assert "resolvers" not in by_name(held)


@FEW
@given(CLOSED)
def test_must_7_interfaces_are_matched_by_name(policy: Blocked | Tunnelled) -> None:
    """No rule holds an interface's index, which a device that comes again doesn't keep."""
    words = {word for chain in by_name(policy).values() for rule in chain.rules for s in rule for word in s.split()}
    assert not {"iif", "oif"} & words


@FEW
@given(CLOSED)
def test_must_8_ndp_is_of_this_link(policy: Blocked | Tunnelled) -> None:
    """Hop limit 255 in each rule; solicitations and advertisements go to link-local or solicited-node groups alone."""
    ndp = [(name, rule) for name, chain in by_name(policy).items() for rule in chain.rules if "nd-" in rule[0]]
    assert ndp
    for name, rule in ndp:
        assert rule[0].startswith("icmpv6 type ")
        assert "ip6 hoplimit 255" in rule
        assert name in {"output", "input"}
        if name == "output":
            targets = [IPv6Network(member) for s in rule if "daddr" in s for member in members(s)]
            assert targets
            assert all(target.is_link_local or target.subnet_of(IPv6Network("ff02::/16")) for target in targets)
        if "nd-router-advert" in rule[0] or "nd-redirect" in rule[0]:
            assert "ip6 saddr fe80::/10" in rule


@FEW
@given(CLOSED)
def test_must_9_the_lan_is_private_ranges_and_only_by_leave(policy: Blocked | Tunnelled) -> None:
    """Ranges that the internet doesn't route, and multicast: with `allow_lan`, else none."""
    rules = [r for chain in by_name(policy).values() for r in accepting(chain) if is_lan(r)]
    assert bool(rules) == policy.allow_lan
    for rule in rules:
        for statement in rule:
            for member in members(statement) if "addr" in statement else ():
                network = ip_network(member)
                assert network.is_private or network.is_multicast or network.is_link_local, rule
                assert "saddr" not in statement or not network.is_multicast, rule


@FEW
@given(CLOSED)
def test_must_10_little_comes_out_of_the_tunnel(policy: Blocked | Tunnelled) -> None:
    """From the tunnel the input takes answers, their ICMP errors, and pings to the tunnel's own addresses."""
    for name in ("input", "forward"):
        for rule in accepting(by_name(policy)[name]):
            if not rule[0].startswith("iifname") or rule[0] == 'iifname "lo"':
                continue
            if "ct state established" in rule or ("ct state related" in rule and "icmp" in rule[2]):
                continue
            assert name == "input"
            assert rule[2] in {"icmp type echo-request", "icmpv6 type echo-request"}
            assert set(members(rule[1])) <= {str(plain(str(a))) for a in policy.addresses}


@FEW
@given(BLOCKED)
def test_blocked_lets_nothing_into_any_tunnel(policy: Blocked) -> None:
    """The only interface that a blocked host may use is loopback."""
    named = {rule[0] for chain in by_name(policy).values() for rule in accepting(chain) if "ifname" in rule[0]}
    assert named == {'oifname "lo"', 'iifname "lo"'}
