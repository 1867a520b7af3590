from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway import choices, config_file
from slopn_helper.gateway.choices import Choices, WrongChoice
from slopn_helper.gateway.config import lent
from slopn_helper.gateway.types import Pool

BASE = choices.first("vpn.example.org", bytes(7), Path("/srv/gw"))


def test_a_fresh_gateway_keeps_its_registry_with_its_keys() -> None:
    """And is what the settings' file reads back."""
    assert BASE.database.url == "sqlite:////srv/gw/registry.db"
    assert config_file.parse(config_file.write(BASE), Path("x")) == BASE


def test_what_is_chosen_is_set_and_all_else_stays() -> None:
    """Each choice is one key."""
    said = Choices(
        endpoint="10.1.2.3",
        port=443,
        https_port=8444,
        ipv4=("10.8.0.0/16", "10.9.0.0/16"),
        ipv6=("fd01::/64",),
        dns=("9.9.9.9",),
        database="postgresql://u:p%20w@db/slopn",
        allow=("203.0.113.0/24",),
    )
    found = choices.settle(BASE, said)
    assert (found.wireguard.endpoint, found.wireguard.port, found.enrolment.port) == ("10.1.2.3", 443, 8444)
    assert [str(each) for each in found.pools.ipv4] == ["10.8.0.0/16", "10.9.0.0/16"]
    assert found.dns.servers == (ip_address("9.9.9.9"),)
    assert found.database.url == "postgresql://u:p%20w@db/slopn"
    assert found.bans.allow == (ip_network("203.0.113.0/24"),)
    assert choices.settle(found, Choices()) == found
    assert found.network == BASE.network


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (Choices(endpoint="a b"), "wireguard.endpoint"),
        (Choices(endpoint='x"\n[bans]'), "wireguard.endpoint"),
        (Choices(port=0), "wireguard.port"),
        (Choices(ipv4=("10.0.0.0/33",)), r"pools.ipv4\[0\]"),
        (Choices(ipv4=("10.0.0.1/16",)), r"pools.ipv4\[0\]"),
        (Choices(ipv4=(), ipv6=()), "pools"),
        (Choices(dns=("dns.example.org",)), r"dns.servers\[0\]"),
        (Choices(database="mysql://x"), "database.url"),
    ],
)
def test_what_cannot_be_is_named(said: Choices, key: str) -> None:
    """As the settings' file would be."""
    with pytest.raises(WrongChoice, match=f"^{key}: "):
        choices.settle(BASE, said)


def test_a_second_gateway_lends_of_the_same_networks() -> None:
    """In the same order, with what is never lent."""
    pools = (
        Pool("v4", ip_network("10.8.0.0/16"), (ip_address("10.8.0.9"),)),
        Pool("v6", ip_network("fd01::/64")),
        Pool("v4-2", ip_network("10.9.0.0/16")),
    )
    assert set(lent(choices.with_pools(BASE, pools).pools)) == set(pools)


def test_differences_tell_no_password() -> None:
    """Of a database only that it is another one."""
    after = choices.settle(BASE, Choices(port=99, dns=("9.9.9.9",), database="postgresql://u:secret@db/x"))
    told = list(choices.differences(BASE, after))
    assert told == ["wireguard.port: 51820 → 99", "dns.servers: none → 9.9.9.9", "database.url"]
    assert list(choices.differences(BASE, BASE)) == []
