from __future__ import annotations

import asyncio
import os
from ipaddress import ip_address, ip_interface
from pathlib import Path

from slopn_helper.diagnose.vpns import found
from slopn_helper.host.facts import Filters, Route, Rule
from slopn_helper.host.facts.linux import LinuxFacts, closing_tables
from support.internet import Internet
from support.netns import Namespace, veth

HOST = """
addr add 10.1.0.2/24 dev eth0
route add default via 10.1.0.1 proto dhcp metric 100
addr add 100.64.0.1/32 dev tailscale0
route add 100.64.0.0/10 dev tailscale0 table 52
route add unreachable default table 51820 proto 151 metric 4294967294
rule add priority 5270 table 52
rule add priority 5280 from 10.1.0.2 table 52
rule add priority 5290 table main suppress_prefixlength 0
rule add priority 32765 not fwmark 51820 table 51820 protocol 151
"""
TABLES = """
table inet slopn {
  chain output {
    type filter hook output priority 0; policy accept;
    ip daddr 192.0.2.1 drop
  }
}
table inet mullvad {
  chain output {
    type filter hook output priority 0; policy drop;
  }
}
"""


def test_a_hosts_network_is_told() -> None:
    """Interfaces, routes and rules of all programs, our own marked; our table whole, of others the names."""
    with Namespace("host") as host, Namespace("router") as router:
        veth(host, "eth0", router, "r0")
        veth(host, "tailscale0", router, "r1")
        host.ip(HOST)
        host.nft(TABLES)
        facts = LinuxFacts("slopn")
        with host.entered():
            links = asyncio.run(facts.links())
            routes = asyncio.run(facts.routes())
            rules = asyncio.run(facts.rules())
            filters = asyncio.run(facts.filters())
    named = {link.name: link for link in links}
    assert named["eth0"].usable
    assert ip_interface("10.1.0.2/24") in named["eth0"].addresses
    assert Route(254, "0.0.0.0/0", "10.1.0.1", "eth0", 100, 16) in routes
    assert Route(52, "100.64.0.0/10", None, "tailscale0", 0, 3) in routes
    assert Route(51820, "0.0.0.0/0", None, None, 4294967294, 151, unreachable=True, ours=True) in routes
    assert rules == (
        Rule(4, 5270, 52),
        Rule(4, 5280, 52, partial=True),
        Rule(4, 5290, 254, partial=True),
        Rule(4, 32765, 51820, fwmark=51820, inverted=True, protocol=151, ours=True),
    )
    assert "ip daddr 192.0.2.1 drop" in filters.ours
    assert filters.others == filters.closing == ("inet mullvad",)
    assert found(links, routes, rules, filters, "slopn0") == {
        "Tailscale": ["interface tailscale0", "IPv4 rule 5270 to table 52", "IPv4 rule 5280 to table 52"],
        "another program": ["IPv4 rule 5290 to table 254"],
        "Mullvad": ["firewall table inet mullvad"],
    }


def test_a_host_without_a_table_of_ours_has_none() -> None:
    """That is no error."""
    with Namespace("host") as host, host.entered():
        assert asyncio.run(LinuxFacts("slopn").filters()) == Filters("")


def test_a_resolver_is_asked_by_one_interface_alone(tmp_path: Path) -> None:
    """Through the interface that leads to it there is an answer; through another one nothing leaves by the first."""
    with Namespace("client") as client, Namespace("router") as router, Namespace("nowhere") as nowhere:
        veth(client, "eth0", router, "r0")
        veth(client, "slopn0", nowhere, "n0")
        client.ip("addr add 10.1.0.2/24 dev eth0")
        router.ip("addr add 10.1.0.1/24 dev r0")
        with Internet(router, tmp_path / f"{os.getpid()}.sock", ("10.1.0.1",)) as internet, client.entered():
            internet.wait_ready()
            facts = LinuxFacts("slopn")
            seconds = asyncio.run(facts.answers(ip_address("10.1.0.1"), "eth0"))
            assert seconds is not None
            asked = len(internet.seen().dns)
            assert asked == 1
            assert asyncio.run(facts.answers(ip_address("10.1.0.1"), "slopn0")) is None
            assert len(internet.seen().dns) == asked


def test_a_table_that_lets_out_by_itself_isnt_closing() -> None:
    """Only what leaves by itself counts: a server's filter drops what comes in."""
    chains = (
        "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n"
        "\tchain OUTPUT {\n\t\ttype filter hook output priority filter; policy accept;\n\t}\n}\n"
    )
    assert closing_tables(chains) == []
    assert closing_tables(chains.replace("accept", "drop")) == ["ip filter"]
