"""From devices to the engine's peers, pure: who may connect at a moment, by which key, with which addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from msgspec import Struct

from slopn_helper.engine import PeerConfig
from slopn_helper.gateway.devices import Standing, standing
from slopn_helper.gateway.types import Device, Enrolled
from slopn_wire.profile import IPAddress, IPNetwork


class Settled(Struct, frozen=True):
    """A device with two keys has come with one of them."""

    device: str
    key: bytes


class Difference(Struct, frozen=True):
    """What the engine is to change, in one step."""

    remove: tuple[bytes, ...] = ()
    """Public keys of peers that go."""
    put: tuple[PeerConfig, ...] = ()
    """Peers that are new or otherwise than before."""

    def __bool__(self) -> bool:
        return bool(self.remove or self.put)


class Roster:
    """The devices as the registry told them last, and which key each has come with.

    A device that changes its key has two peers until that is settled. An allowed IP belongs to one peer alone: first to
    that of the key it had, and from the first handshake with the next one to that one.
    """

    def __init__(self) -> None:
        self._devices: dict[str, Enrolled] = {}
        self._came_with: dict[str, bytes] = {}
        self._by_key: dict[bytes, str] = {}
        self._by_address: dict[IPAddress, str] = {}
        self._made: dict[str, tuple[PeerConfig, ...]] = {}
        """What was worked out before: thousands of devices stay as they are while one changes."""

    def __len__(self) -> int:
        return len(self._devices)

    def replace(self, devices: Iterable[Enrolled]) -> None:
        """These are all there are."""
        known = {each.device.id for each in devices}
        self.forget([device for device in self._devices if device not in known])
        self.put(devices)

    def put(self, devices: Iterable[Enrolled]) -> None:
        """These are new, or otherwise than before."""
        for each in devices:
            device = each.device
            self._drop(device.id)
            if self._devices.get(device.id) != each:
                self._made.pop(device.id, None)
            self._devices[device.id] = each
            self._by_key.update(dict.fromkeys(_keys(device), device.id))
            self._by_address.update({lease.address: device.id for lease in each.leases})
            if self._came_with.get(device.id) not in _keys(device):
                self._came_with.pop(device.id, None)
                self._made.pop(device.id, None)

    def forget(self, ids: Iterable[str]) -> None:
        """These are gone."""
        for device in ids:
            self._drop(device)
            self._devices.pop(device, None)
            self._came_with.pop(device, None)
            self._made.pop(device, None)

    def handshake(self, key: bytes) -> Settled | None:
        """A session was agreed with this key. Not None: its device is changing keys, and has come with this one."""
        found = self.of_key(key)
        if found is None or found.device.next_key is None:
            return None
        device = found.device.id
        self._came_with[device] = key
        self._made.pop(device, None)
        return Settled(device, key)

    def of_key(self, key: bytes) -> Enrolled | None:
        """Whose key it is, current or next."""
        device = self._by_key.get(key)
        return None if device is None else self._devices.get(device)

    def of_address(self, address: IPAddress) -> Enrolled | None:
        """Whose address it is inside the tunnel."""
        device = self._by_address.get(address)
        return None if device is None else self._devices.get(device)

    def owner(self, device: Device) -> bytes:
        """The key whose peer has the device's addresses."""
        return self._came_with.get(device.id, device.public_key)

    def admitted(self, now: float) -> Iterator[Enrolled]:
        """All who may connect at `now`."""
        for each in self._devices.values():
            if each.leases and standing(each.device, now) is Standing.ACTIVE:
                yield each

    def peers(self, now: float) -> dict[bytes, PeerConfig]:
        """All peers of `now`, by key."""
        return {peer.public_key: peer for each in self.admitted(now) for peer in self._peers_of(each)}

    def next_expiry(self, now: float) -> float | None:
        """When the next of those who may connect may no more; None: nobody's time is limited."""
        times = (each.device.expires for each in self.admitted(now))
        return min((moment for moment in times if moment is not None), default=None)

    def newest(self) -> float | None:
        """When the registry was changed last by an enrolment or a renewal, by some gateway's clock."""
        return max((each.device.renewed or each.device.created for each in self._devices.values()), default=None)

    def _peers_of(self, enrolled: Enrolled) -> tuple[PeerConfig, ...]:
        device = enrolled.device
        made = self._made.get(device.id)
        if made is None:
            owner = self.owner(device)
            allowed = tuple(alone(lease.address) for lease in enrolled.leases)
            made = tuple(PeerConfig(key, allowed if key == owner else ()) for key in _keys(device))
            self._made[device.id] = made
        return made

    def _drop(self, device: str) -> None:
        known = self._devices.get(device)
        if known is None:
            return
        # Meanwhile they may be another's: a registry was restored, or an address was lent again.
        for key in _keys(known.device):
            if self._by_key.get(key) == device:
                del self._by_key[key]
        for lease in known.leases:
            if self._by_address.get(lease.address) == device:
                del self._by_address[lease.address]


def difference(have: dict[bytes, PeerConfig], want: dict[bytes, PeerConfig]) -> Difference:
    """What makes `want` of `have`."""
    changed = [peer for key, peer in want.items() if (old := have.get(key)) is not peer and old != peer]
    # Who loses an address comes before who gets it: the engine gives it to the later one.
    changed.sort(key=lambda peer: len(peer.allowed_ips))
    return Difference(tuple(key for key in have if key not in want), tuple(changed))


def alone(address: IPAddress) -> IPNetwork:
    """One address as a network."""
    return IPv4Network((int(address), 32)) if address.version == 4 else IPv6Network((int(address), 128))


def _keys(device: Device) -> tuple[bytes, ...]:
    return (device.public_key,) if device.next_key is None else (device.public_key, device.next_key)
