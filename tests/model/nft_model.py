"""What nftables says to a packet, by the rules that the helper renders: each statement of theirs, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import NamedTuple

from model.packets import ICMP, ICMP6, TCP, UDP, Device, Packet, Way, Who
from slopn_helper.host.firewall import Blocked, Tunnelled
from slopn_helper.host.firewall.ruleset import Rule, chains

MARK = 51820
_PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMP6}
_TYPES = {
    "echo-request": {ICMP: 8, ICMP6: 128},
    "destination-unreachable": {ICMP: 3, ICMP6: 1},
    "packet-too-big": {ICMP6: 2},
    "time-exceeded": {ICMP: 11, ICMP6: 3},
    "parameter-problem": {ICMP: 12, ICMP6: 4},
    "nd-router-solicit": {ICMP6: 133},
    "nd-router-advert": {ICMP6: 134},
    "nd-redirect": {ICMP6: 137},
    "nd-neighbor-solicit": {ICMP6: 135},
    "nd-neighbor-advert": {ICMP6: 136},
}
_Holds = Callable[[Packet], bool]


class _Compiled(NamedTuple):
    holds: tuple[_Holds, ...]
    verdict: str


class NftModel:
    """The chains that a packet from or to this host meets: `prerouting` and `input`, or `output`."""

    def __init__(self, policy: Blocked | Tunnelled) -> None:
        made = {chain.name: chain for chain in chains(policy, fwmark=MARK)}
        self._chains = {
            name: (made[name].policy, list(map(_compiled, made[name].rules)))
            for name in ("prerouting", "input", "output")
        }

    def passes(self, packet: Packet) -> bool:
        """See `Evaluator`."""
        names = ("output",) if packet.way is Way.OUT else ("prerouting", "input")
        return all(self._meets(name, packet) for name in names)

    def _meets(self, name: str, packet: Packet) -> bool:
        policy, rules = self._chains[name]
        for rule in rules:
            if all(holds(packet) for holds in rule.holds):
                if rule.verdict.startswith("meta mark set"):
                    continue
                return rule.verdict == "accept"
        return policy == "accept"


def _compiled(rule: Rule) -> _Compiled:
    *matches, verdict = rule
    assert verdict in {"accept", "drop"} or verdict.startswith(("reject with", "meta mark set"))
    return _Compiled(tuple(_holds(match) for match in matches), verdict)


def _holds(statement: str) -> _Holds:
    what, _, value = re.sub(r"[{},\"]", " ", statement).partition(" ")
    words = value.split()
    match what, words:
        case (("oifname" | "iifname"), ["!=", *names]):
            devices = {Device(n) for n in names}
            return lambda p: p.device not in devices
        case (("oifname" | "iifname"), [name]):
            device = Device(name)
            return lambda p: p.device is device
        case "meta", ["mark", mark]:
            assert int(mark, 16) == MARK
            # Answers get the mark in `prerouting`, and nothing asks for it there.
            return lambda p: p.who is Who.US
        case "meta", ["nfproto", "ipv4"]:
            return lambda p: p.version == 4
        case "meta", ["iiftype", "!=", "65534"]:
            return lambda p: p.device not in {Device.TUNNEL, Device.OTHER_TUNNEL}
        case ("ip" | "ip6") as family, [("saddr" | "daddr") as end, *named]:
            return _address(4 if family == "ip" else 6, end, named)
        case "ip6", ["hoplimit", limit]:
            hops = int(limit)
            return lambda p: p.version == 6 and p.hops == hops
        case (("tcp" | "udp"), [("sport" | "dport") as end, *named]):
            return _port(_PROTOCOLS[what], end, frozenset(map(int, named)))
        case "tcp", ["flags", "syn"]:
            return lambda p: p.protocol == TCP and not p.answers
        case (("icmp" | "icmpv6"), ["type", *named]):
            protocol = _PROTOCOLS[what]
            types = frozenset(_TYPES[name][protocol] for name in named)
            return lambda p: p.protocol == protocol and p.kind in types
        case "ct", ["state", "established"]:
            return lambda p: p.answers
        case "ct", ["state", "related"]:
            return lambda _: False
    raise AssertionError(f"{statement!r} is no statement that this model knows")


def _address(version: int, end: str, named: list[str]) -> _Holds:
    networks = [ip_network(name) for name in named]
    ranges = [(int(n.network_address), int(n.broadcast_address)) for n in networks]

    def holds(p: Packet) -> bool:
        if p.version != version:
            return False
        address = p.there if (end == "daddr") == (p.way is Way.OUT) else p.here
        return any(first <= address <= last for first, last in ranges)

    return holds


def _port(protocol: int, end: str, ports: frozenset[int]) -> _Holds:
    def holds(p: Packet) -> bool:
        if p.protocol != protocol:
            return False
        return (p.there_port if (end == "dport") == (p.way is Way.OUT) else p.here_port) in ports

    return holds
