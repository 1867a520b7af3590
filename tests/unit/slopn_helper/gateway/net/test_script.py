from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper.gateway.net.policy import GatewayNetPolicy, Protocol, Refusal, Service
from slopn_helper.gateway.net.rules import chains, closed
from slopn_helper.gateway.net.script import counters_of, filling, render

DATA = Path(__file__).parents[4] / "data/gateway_net"

USUAL = GatewayNetPolicy(
    interfaces=("wg0",),
    pools=(ip_network("10.9.0.0/24"), ip_network("fd09::/64")),
    addresses=(ip_address("10.9.0.1"), ip_address("fd09::1")),
    uplinks=("eth0",),
    dns=(ip_address("10.9.0.1"), ip_address("fd09::1")),
)
GOLDEN: dict[str, GatewayNetPolicy] = {
    "usual": USUAL,
    "routed": replace(
        USUAL, pools=(ip_network("10.9.0.0/24"), ip_network("2001:db8:9::/64")), nat66=False, reachable=True
    ),
    "four_only": replace(USUAL, pools=USUAL.pools[:1], addresses=USUAL.addresses[:1], dns=()),
    "open": replace(
        USUAL,
        interfaces=("wg0", "wg1"),
        uplinks=("eth0", "eth1"),
        isolated=False,
        private=True,
        api_inside=True,
        services=(Service(Protocol.TCP, 8443), Service(Protocol.UDP, 8443)),
    ),
    "narrow": replace(
        USUAL,
        dns=(ip_address("192.168.7.53"),),
        dns_only=True,
        destinations=(ip_network("198.51.100.0/24"), ip_network("2001:db8:7::/48")),
        refused=(ip_network("198.51.100.128/25"),),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_each_policy_is_its_golden_file(name: str) -> None:
    """The rules of a policy are reviewed as a file: a change of theirs is a change of that file."""
    assert render(GOLDEN[name]) == (DATA / f"{name}.nft").read_text(encoding="utf-8")


def test_closed_is_its_golden_file() -> None:
    """What holds when a policy can't be had."""
    assert filling(closed(("wg0",))) == (DATA / "closed.nft").read_text(encoding="utf-8")


def test_there_is_no_golden_file_without_its_policy() -> None:
    """A file that nothing compares would be believed."""
    assert {path.stem for path in DATA.glob("*.nft")} == {*GOLDEN, "closed"}


def test_a_table_that_stays_keeps_what_it_counted() -> None:
    """Counters that are there aren't made anew, and an owned table isn't named without its flags."""
    lines = filling(chains(USUAL), stale=("chain old", "set s"), counting=[*Refusal][:-1], owned=True).splitlines()
    assert lines[:4] == [
        "flush table inet slopn_gateway",
        "delete chain inet slopn_gateway old",
        "delete set inet slopn_gateway s",
        f"add counter inet slopn_gateway {[*Refusal][-1]}",
    ]
    assert lines[4].startswith("add chain")


def test_all_reasons_are_counted_whatever_the_policy() -> None:
    """Metrics have the same names always; the closed rules need none."""
    assert counters_of(chains(USUAL)) == tuple(Refusal)
    assert counters_of(closed(("wg0",))) == ()
