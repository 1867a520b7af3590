"""Rules as the tests of the must rules look at them: what is accepted, in which order, to whom."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from slopn_helper.host.firewall import Blocked, FirewallPolicy, Tunnelled
from slopn_helper.host.firewall.ruleset import Chain, Rule, chains

MARK = 51820


def by_name(policy: FirewallPolicy) -> dict[str, Chain]:
    """The chains by name."""
    return {chain.name: chain for chain in chains(policy, fwmark=MARK)}


def accepting(chain: Chain) -> list[Rule]:
    """The rules that let something through."""
    return [rule for rule in chain.rules if rule[-1] == "accept"]


def members(statement: str) -> list[str]:
    """The values of one match, of a set or single."""
    _, _, inside = statement.rstrip(" }").partition("{ ")
    return inside.split(", ") if inside else [statement.rsplit(maxsplit=1)[-1]]


def plain(text: str) -> IPv4Address | IPv6Address:
    """As packets carry it."""
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def family_of(address: IPv4Address | IPv6Address) -> str:
    """nft's word for the family."""
    return "ip" if isinstance(address, IPv4Address) else "ip6"


def is_lan(rule: Rule) -> bool:
    """Whether a rule is of the private ranges."""
    return any("10.0.0.0/8" in statement or "fc00::/7" in statement for statement in rule)


def is_dhcp(rule: Rule) -> bool:
    """Whether a rule is of a DHCP client or server."""
    return ("udp sport 68" in rule and "udp dport 67" in rule) or ("udp sport 546" in rule and "udp dport 547" in rule)


def into_tunnel(rule: Rule, policy: Blocked | Tunnelled) -> bool:
    """Whether a rule is of what goes into the tunnel."""
    return isinstance(policy, Tunnelled) and rule[0] == f'oifname "{policy.interface}"'


def out_of_tunnel(rule: Rule, policy: Blocked | Tunnelled) -> bool:
    """Whether a rule is of what comes back."""
    return isinstance(policy, Tunnelled) and rule[0] == f'iifname "{policy.interface}"' and "ct state" in rule[1]


REASONS: dict[str, Callable[[Rule, Blocked | Tunnelled], bool]] = {
    "mark": lambda rule, _: rule[0] == f"meta mark {MARK:#x}" and "daddr" in rule[1] and "dport" in rule[2],
    "loopback": lambda rule, _: rule[0] == 'oifname "lo"',
    "dhcp": lambda rule, _: is_dhcp(rule),
    "ndp": lambda rule, _: "nd-" in rule[0] and "ip6 hoplimit 255" in rule,
    "tunnel": into_tunnel,
    "answer": out_of_tunnel,
    "lan": lambda rule, policy: policy.allow_lan and is_lan(rule),
}


def stage(rule: Rule, policy: Blocked | Tunnelled) -> int:
    """Where in the list of must rule 6 a rule of the output chain belongs."""
    if rule[0] == 'oifname "lo"':
        return 0
    if rule[0].startswith("meta mark"):
        return 1
    if is_dhcp(rule) or "nd-" in rule[0]:
        return 2
    if into_tunnel(rule, policy):
        return 5 if rule[1] == "accept" else 3
    if "dport { 53, 853, 5355 }" in rule[0]:
        return 4
    return 6 if is_lan(rule) else 7
