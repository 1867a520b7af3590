from __future__ import annotations

from typing import Any

from slopn_helper.gateway.net.facts import foreign_chain


def rule(*expressions: dict[str, Any]) -> dict[str, Any]:
    """As libnftables lists it."""
    return {"rule": {"chain": "forward", "expr": [*expressions]}}


def match(left: dict[str, Any], right: object, operator: str = "==") -> dict[str, Any]:
    """One comparison."""
    return {"match": {"op": operator, "left": left, "right": right}}


def test_a_foreign_table_is_read_for_names_and_ports() -> None:
    """Interfaces and ports that are excluded, ranges and what iptables alone understands say nothing."""
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}
    port = {"payload": {"protocol": "udp", "field": "dport"}}
    found = foreign_chain(
        chain,
        [
            {"chain": chain},
            {"chain": {"name": "DOCKER-USER"}},
            rule(match({"meta": {"key": "iifname"}}, "wg0"), match(port, {"set": [51820, {"range": [1, 9]}]})),
            rule(match({"meta": {"key": "oifname"}}, {"set": ["eth0", "eth1"]}), match(port, 443)),
            rule(match({"meta": {"key": "iifname"}}, "docker0", "!="), {"xt": None}, match(port, 22, "!=")),
        ],
    )
    assert found.drops
    assert found.beside == {"FORWARD", "DOCKER-USER"}
    assert found.interfaces == {"wg0", "eth0", "eth1"}
    assert found.ports == {51820, 443}
