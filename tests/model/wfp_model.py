"""What the Windows Filtering Platform says to a packet, as its documents say that it decides.

In each layer the sublayers are asked from the heaviest down, in each of them the filters from the heaviest down until one
that holds ends it. A filter holds if each of its fields does, and a field does if one of its conditions does. A block is
final if its filter has cleared the right to override it; else a later sublayer's permit overrides it. A permit whose filter
has cleared the right overrides later blocks. Where nobody says anything the packet passes.
("Filter Arbitration" and "Filtering conditions" in Microsoft's documents of the platform.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network

from model.packets import Device, Packet, Way, Who
from slopn_helper.host.firewall import FirewallPolicy
from slopn_helper.host.firewall.wfp.filters import (
    CLEAR_ACTION_RIGHT,
    LOOPBACK,
    SUBLAYER_WEIGHT,
    Action,
    Condition,
    Field,
    Filter,
    Layer,
    Lifetime,
    Match,
)
from slopn_helper.host.firewall.wfp.plan import SYSTEM, Us, plan

PROGRAM = "\\device\\harddiskvolume3\\slopn\\slopn-helper.exe\0".encode("utf-16-le")
LUID = 0x35000000000000
"""Of the tunnel's interface."""
US = Us(PROGRAM, LUID)
_LUIDS = {Device.LOOPBACK: 1, Device.TUNNEL: LUID, Device.ETHERNET: 2, Device.OTHER_TUNNEL: 3}
_KINDS = {Device.LOOPBACK: 24, Device.TUNNEL: 53, Device.ETHERNET: 6, Device.OTHER_TUNNEL: 53}
_PROGRAMS = {Who.US: PROGRAM, Who.OUR_PROGRAM: PROGRAM}
_USERS = {Who.US: SYSTEM, Who.SYSTEM: SYSTEM}
_Holds = Callable[[Packet], bool]


class Sublayer:
    """One sublayer: what its filters say to a packet in a layer."""

    def __init__(self, weight: int, filters: Iterable[Filter]) -> None:
        self.weight = weight
        self._layers: dict[Layer, list[tuple[list[_Holds], Action, bool]]] = {layer: [] for layer in Layer}
        for each in sorted(filters, key=lambda f: -f.weight):
            is_final = bool(each.flags & CLEAR_ACTION_RIGHT)
            self._layers[each.layer].append((_fields(each.conditions), each.action, is_final))

    def says(self, layer: Layer, packet: Packet) -> tuple[Action, bool] | None:
        """The action of the first filter that holds, and whether it is final; None: none holds."""
        for fields, action, is_final in self._layers[layer]:
            if all(holds(packet) for holds in fields):
                return action, is_final
        return None


class WfpModel:
    """A host with our filters, and perhaps with others' sublayers beside ours."""

    def __init__(
        self,
        policy: FirewallPolicy,
        *others: Sublayer,
        persist: bool = False,
        alive: Iterable[Lifetime] = (Lifetime.STATIC, Lifetime.PERSISTENT),
    ) -> None:
        lasting = set(alive)
        filters = [f for f in plan(policy, US, persist=persist) if f.lifetime in lasting]
        self._sublayers = sorted((Sublayer(SUBLAYER_WEIGHT, filters), *others), key=lambda s: -s.weight)

    def passes(self, packet: Packet) -> bool:
        """See `Evaluator`. An answer is asked about as what it answers: filters that change ask anew."""
        version = packet.version
        connect, accept, transport = (Layer[f"{name}_{version}"] for name in ("CONNECT", "ACCEPT", "TRANSPORT"))
        if packet.answers and packet.way is Way.IN:
            return self.permits(connect, packet.opener)
        if packet.answers:
            return self.permits(accept, packet.opener) and self.permits(transport, packet)
        if packet.way is Way.IN:
            return self.permits(accept, packet)
        return self.permits(connect, packet) and self.permits(transport, packet)

    def permits(self, layer: Layer, packet: Packet) -> bool:
        """The sublayers' arbitration."""
        verdict = Action.PERMIT
        for sublayer in self._sublayers:
            said = sublayer.says(layer, packet)
            if said is None:
                continue
            verdict, is_final = said
            if is_final:
                break
        return verdict is Action.PERMIT


def _fields(conditions: Iterable[Condition]) -> list[_Holds]:
    by_field: dict[Field, list[Condition]] = {}
    for condition in conditions:
        by_field.setdefault(condition.field, []).append(condition)
    return [_any([_holds(condition) for condition in of]) for of in by_field.values()]


def _any(holds: list[_Holds]) -> _Holds:
    return holds[0] if len(holds) == 1 else lambda p: any(each(p) for each in holds)


def _holds(condition: Condition) -> _Holds:
    field, value, match = condition
    if field is Field.FLAGS:
        assert (value, match) == (LOOPBACK, Match.FLAGS_ALL_SET)
        return lambda p: p.device is Device.LOOPBACK
    if isinstance(value, IPv4Network | IPv6Network):
        assert match is Match.EQUAL
        return _address(field, value)
    look = _LOOK[field]
    if match is Match.NOT_EQUAL:
        return lambda p: look(p) != value
    assert match is Match.EQUAL
    return lambda p: look(p) == value


def _address(field: Field, network: IPv4Network | IPv6Network) -> _Holds:
    version, first, last = network.version, int(network.network_address), int(network.broadcast_address)
    # Of what is forwarded `here` is the guest, whose source it is.
    if field in {Field.REMOTE_ADDRESS, Field.DESTINATION_ADDRESS}:
        return lambda p: p.version == version and first <= p.there <= last
    assert field in {Field.LOCAL_ADDRESS, Field.SOURCE_ADDRESS}
    return lambda p: p.version == version and first <= p.here <= last


_LOOK: dict[Field, Callable[[Packet], object]] = {
    Field.PROTOCOL: lambda p: p.protocol,
    # Of ICMP the type, whatever the way.
    Field.LOCAL_PORT: lambda p: p.kind or p.here_port,
    Field.REMOTE_PORT: lambda p: p.there_port,
    Field.LOCAL_INTERFACE: lambda p: _LUIDS[p.device],
    Field.ARRIVAL_INTERFACE: lambda p: _LUIDS[p.device],
    Field.ARRIVAL_TYPE: lambda p: _KINDS[p.device],
    Field.PROGRAM: lambda p: _PROGRAMS.get(p.who, b"other"),
    Field.USER: lambda p: _USERS.get(p.who, "other"),
}
