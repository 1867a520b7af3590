from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from slopn_helper.gateway.bans import Ban, BansError, By, Why
from slopn_helper.gateway.bans.book import Put, Remove
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.host.firewall import FirewallError


class FakeNft:
    """Notes scripts; lists what it was given."""

    def __init__(self, objects: list[dict[str, Any]] | None = None, error: FirewallError | None = None) -> None:
        self.scripts: list[str] = []
        self._objects = objects
        self._error = error

    def run(self, commands: str) -> None:
        """One transaction."""
        if self._error:
            raise self._error
        self.scripts.append(commands)

    def listing(self, family: str, table: str) -> list[dict[str, Any]] | None:
        """What libnftables prints."""
        assert (family, table) == ("inet", "slopn_bans")
        if self._error:
            raise self._error
        return self._objects


def elements(name: str, *inner: object) -> dict[str, Any]:
    """A set as the kernel lists it."""
    return {"set": {"family": "inet", "name": name, "table": "slopn_bans", "elem": list(inner)}}


def test_many_changes_go_in_several_transactions() -> None:
    """A socket's buffer holds so much; the order stays."""
    nft = FakeNft()
    Edge(nft).apply([Remove(ip_network(number)) for number in range(4500)], 0.0)
    assert len(nft.scripts) == 3
    assert "0.0.0.0 }" in nft.scripts[0]
    assert "0.0.17.147 }" in nft.scripts[2]
    Edge(nft).apply([], 0.0)
    assert len(nft.scripts) == 3


@pytest.mark.parametrize(
    ("until", "words"), [(100.4, "timeout 100s "), (-5.0, "timeout 1s "), (None, ""), (1e12, "timeout 315360000s ")]
)
def test_times_are_what_the_kernel_takes(until: float | None, words: str) -> None:
    """Whole seconds, never none, and at most ten years."""
    nft = FakeNft()
    Edge(nft).apply([Put(Ban(ip_network("203.0.113.7"), By.GATEWAY, 0.0, until, Why.BY_HAND, None, 0))], 0.0)
    assert f'203.0.113.7 {words}comment "why=by_hand failures=- level=0 since=0"' in nft.scripts[0]


def test_foreign_elements_are_bans_without_a_story() -> None:
    """Whoever has put them there, and whatever stands in their comments."""
    objects = [
        elements(
            "banned4",
            "203.0.113.7",
            {"elem": {"val": "203.0.113.8", "comment": "why=nonsense failures=1 level=1 since=1"}},
        ),
        elements("banned6", {"elem": {"val": "2001:db8::", "expires": 9, "comment": "my own"}}),
        elements("fail2ban4", "203.0.113.9"),
        elements(
            "allow4", {"range": ["192.0.2.0", "192.0.2.2"]}, {"prefix": {"addr": "10.0.0.0", "len": 8}}, "192.0.2.9"
        ),
    ]
    held = Edge(FakeNft(objects)).read(100.0)
    assert held is not None
    assert [(str(ban.source), ban.until, ban.why) for ban in held.bans] == [
        ("203.0.113.7/32", None, Why.UNKNOWN),
        ("203.0.113.8/32", None, Why.UNKNOWN),
        ("2001:db8::/64", 109.0, Why.UNKNOWN),
    ]
    assert [str(network) for network in held.allowed] == ["192.0.2.0/31", "192.0.2.2/32", "10.0.0.0/8", "192.0.2.9/32"]


def test_no_table_is_no_ban() -> None:
    """And nothing to remove."""
    nft = FakeNft(None)
    assert Edge(nft).read(0.0) is None
    Edge(nft).remove()
    assert nft.scripts == []


@pytest.mark.parametrize(("chains", "last"), [(("gateway",), "delete table"), (("gateway", "fail2ban"), "delete set")])
def test_what_is_fail2bans_stays(chains: tuple[str, ...], last: str) -> None:
    """Without it the table goes as well."""
    nft = FakeNft([{"chain": {"name": name}} for name in chains])
    Edge(nft).remove()
    assert nft.scripts[-1].splitlines()[-1].startswith(last)


def test_what_the_kernel_refuses_is_told() -> None:
    """With its reason."""
    edge = Edge(FakeNft(error=FirewallError("Operation not permitted")))
    with pytest.raises(BansError, match="changed: Operation not permitted"):
        edge.apply([Remove(ip_network("203.0.113.7"))], 0.0)
    with pytest.raises(BansError, match="read: Operation not permitted"):
        edge.read(0.0)
