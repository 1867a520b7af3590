from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from msgspec.structs import replace

from slopn_helper.gateway.net.doctor import Facts, Finding, ForeignChain, Link, Setting, Verdict, examine
from slopn_helper.gateway.net.policy import GatewayNetPolicy

POLICY = GatewayNetPolicy(
    interfaces=("wg0",),
    pools=(ip_network("10.9.0.0/24"), ip_network("fd09::/64")),
    addresses=(ip_address("10.9.0.1"), ip_address("fd09::1")),
    uplinks=("eth0",),
)
GOOD = Facts(
    links=(Link("lo", 65536, usable=True), Link("eth0", 1500, usable=True), Link("wg0", 1420, usable=True)),
    default4=("eth0",),
    default6=("eth0",),
)
DOCKER = ForeignChain("ip", "filter", "FORWARD", "forward", drops=True, beside=frozenset({"DOCKER-USER", "FORWARD"}))


def bad(facts: Facts, policy: GatewayNetPolicy = POLICY) -> list[Finding]:
    """What isn't in order."""
    return [finding for finding in examine(policy, facts) if finding.verdict is not Verdict.OK]


def test_a_host_in_order_has_nothing_to_mend() -> None:
    """Each check says so, once, and none has a remedy."""
    found = examine(POLICY, GOOD)
    checks = ["forwarding4", "forwarding6", "table", "mtu", "route4", "route6", "others"]
    assert [finding.check for finding in found] == checks
    assert all(finding.verdict is Verdict.OK and not finding.remedy for finding in found)


def test_a_family_without_a_pool_is_not_looked_at() -> None:
    """A server without IPv6 is in order if no device has any."""
    assert bad(replace(GOOD, default6=()), replace(POLICY, pools=POLICY.pools[:1])) == []


@pytest.mark.parametrize(
    ("facts", "check", "verdict", "sentence", "remedy"),
    [
        (
            replace(GOOD, settings=(Setting("net/ipv4/ip_forward", "0", "1"),)),
            "forwarding4",
            Verdict.FAILED,
            "doesn't forward IPv4",
            "sysctl -w net/ipv4/ip_forward=1",
        ),
        (
            replace(GOOD, settings=(Setting("net/ipv6/conf/eth0/accept_ra", "1", "2"),)),
            "settings",
            Verdict.WARNING,
            "the server may lose its own IPv6 route",
            "accept_ra=2",
        ),
        (
            replace(GOOD, table="the chain forward is gone"),
            "table",
            Verdict.FAILED,
            "aren't in force: the chain forward is gone",
            "Restart the gateway",
        ),
        (replace(GOOD, links=GOOD.links[:2]), "interface", Verdict.FAILED, "There is no interface wg0", "Start"),
        (
            replace(GOOD, links=(GOOD.links[1], Link("wg0", 1500, usable=True))),
            "mtu",
            Verdict.WARNING,
            "don't fit an uplink of 1500",
            "to 1420.",
        ),
        (
            replace(GOOD, links=(GOOD.links[1], Link("wg0", 1200, usable=True))),
            "mtu",
            Verdict.FAILED,
            "IPv6 needs 1280",
            "1280",
        ),
        (
            replace(GOOD, links=(Link("ens3", 1500, usable=True), GOOD.links[2])),
            "uplink",
            Verdict.FAILED,
            "There is no interface eth0",
            "(ens3)",
        ),
        (
            replace(GOOD, links=(Link("eth0", 1500, usable=False), GOOD.links[2])),
            "uplink",
            Verdict.FAILED,
            "eth0 is down",
            "ip link set eth0 up",
        ),
        (replace(GOOD, default6=()), "route6", Verdict.WARNING, "no IPv6 default route", "take the IPv6 pool out"),
        (
            replace(GOOD, default4=("wlan0", "eth0")),
            "route4",
            Verdict.FAILED,
            "IPv4 leaves by wlan0",
            "Name wlan0 as an uplink",
        ),
        (replace(GOOD, chains=(DOCKER,)), "others", Verdict.FAILED, "Docker drops", "iptables -I DOCKER-USER -i wg0"),
        (
            replace(GOOD, chains=(replace(DOCKER, family="ip6"),)),
            "others",
            Verdict.FAILED,
            "ip6 filter FORWARD",
            "`ip6tables -I DOCKER-USER",
        ),
        (
            replace(GOOD, chains=(replace(DOCKER, beside=frozenset({"ufw-user-forward"})),)),
            "others",
            Verdict.FAILED,
            "ufw drops",
            "ufw route allow in on wg0 out on eth0",
        ),
        (
            replace(GOOD, chains=(ForeignChain("inet", "firewalld", "filter_FORWARD", "forward", drops=False),)),
            "others",
            Verdict.FAILED,
            "firewalld drops",
            "--zone=trusted --add-interface=wg0",
        ),
        (
            replace(GOOD, chains=(ForeignChain("inet", "mine", "fwd", "forward", drops=True),)),
            "others",
            Verdict.FAILED,
            "Another firewall drops what this host forwards (chain inet mine fwd)",
            "iifname wg0 accept",
        ),
        (
            replace(GOOD, chains=(ForeignChain("inet", "mine", "in", "input", drops=True, ports=frozenset({22})),)),
            "others",
            Verdict.WARNING,
            "no rule names port 51820",
            "51820/udp and 443/tcp",
        ),
        (replace(GOOD, legacy=True), "others", Verdict.WARNING, "iptables-legacy", "iptables-legacy -S FORWARD"),
    ],
)
def test_each_fault_has_its_sentence_and_its_remedy(
    facts: Facts, check: str, verdict: Verdict, sentence: str, remedy: str
) -> None:
    """One finding for one fault."""
    found = [finding for finding in bad(facts) if finding.check == check]
    assert len(found) == 1
    assert found[0].verdict is verdict
    assert sentence in found[0].sentence
    assert remedy in found[0].remedy


@pytest.mark.parametrize(
    "chain",
    [
        replace(DOCKER, interfaces=frozenset({"wg0", "eth0"})),
        replace(DOCKER, drops=False),
        ForeignChain("inet", "mine", "in", "input", drops=True, ports=frozenset({51820})),
    ],
)
def test_a_firewall_that_knows_of_us_is_let_be(chain: ForeignChain) -> None:
    """One that names our interface or our port, or lets everything through."""
    assert bad(replace(GOOD, chains=(chain,))) == []
