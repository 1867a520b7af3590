from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_helper.engine import PeerConfig
from slopn_helper.gateway.devices import Standing, standing
from slopn_helper.gateway.peers import Difference, Roster, Settled, difference
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Lease

NOW = 1_800_000_000.0


def key(number: int) -> bytes:
    """A public key."""
    return number.to_bytes(32, "big")


def enrolled(number: int, **changes: object) -> Enrolled:
    """A device with an address of each family."""
    device = Device(f"d{number}", f"device {number}", key(number), DeviceKind.SLOPN, NOW - 10.0)
    leases = (
        Lease(device.id, "v4", ip_address("100.80.0.2") + number),
        Lease(device.id, "v6", ip_address("fd80::2") + number),
    )
    return Enrolled(replace(device, **changes), leases)


def roster(*devices: Enrolled) -> Roster:
    """Of these."""
    made = Roster()
    made.replace(devices)
    return made


def test_only_who_may_connect_is_a_peer() -> None:
    """Disabled, expired, revoked and address-less devices aren't; each other one has its own addresses alone."""
    bare = Enrolled(enrolled(6).device, ())
    devices = (
        enrolled(1),
        enrolled(2, disabled=True),
        enrolled(3, expires=NOW),
        enrolled(4, expires=NOW + 1.0),
        enrolled(5, revoked=NOW - 1.0),
        bare,
    )
    peers = roster(*devices).peers(NOW)
    assert set(peers) == {key(1), key(4)}
    assert peers[key(1)].allowed_ips == (ip_network("100.80.0.3/32"), ip_network("fd80::3/128"))
    assert set(roster(*devices).peers(NOW + 1.0)) == {key(1)}


def test_the_next_expiry() -> None:
    """Of those who are in; who is out already has none."""
    devices = (enrolled(1), enrolled(2, expires=NOW + 9.0), enrolled(3, expires=NOW + 5.0, disabled=True))
    assert roster(*devices).next_expiry(NOW) == NOW + 9.0
    assert roster(*devices).next_expiry(NOW + 9.0) is None


def test_addresses_follow_the_key_that_was_used_last() -> None:
    """The next key is let in without addresses; with its first handshake it has them, and the old one stays let in."""
    made = roster(enrolled(1, next_key=key(11)))
    before = made.peers(NOW)
    addresses = before[key(1)].allowed_ips
    assert before == {key(1): PeerConfig(key(1), addresses), key(11): PeerConfig(key(11), ())}
    assert made.handshake(key(11)) == Settled("d1", key(11))
    after = made.peers(NOW)
    assert after == {key(1): PeerConfig(key(1), ()), key(11): PeerConfig(key(11), addresses)}
    # Who loses the addresses comes first, so that they are the later one's.
    assert difference(before, after) == Difference((), (after[key(1)], after[key(11)]))
    made.handshake(key(1))
    assert made.peers(NOW) == before
    made.handshake(key(11))
    made.put([enrolled(1, public_key=key(11))])
    assert made.peers(NOW) == {key(11): after[key(11)]}
    assert made.of_key(key(1)) is None


def test_a_next_key_that_is_replaced_takes_nothing_along() -> None:
    """The device announced another one: the key that it came with isn't its any more."""
    made = roster(enrolled(1, next_key=key(11)))
    made.handshake(key(11))
    made.put([enrolled(1, next_key=key(12))])
    assert made.peers(NOW)[key(1)].allowed_ips
    assert set(made.peers(NOW)) == {key(1), key(12)}


def test_strangers_and_settled_devices_change_nothing() -> None:
    """A handshake is news only of a device that has two keys."""
    made = roster(enrolled(1))
    assert made.handshake(key(1)) is None
    assert made.handshake(key(7)) is None


def test_who_has_an_address() -> None:
    """Found by it, until it is lent to another, and after that the other."""
    made = roster(enrolled(1), enrolled(2))
    address = enrolled(1).leases[0].address
    assert made.of_address(address) == enrolled(1)
    other = Enrolled(enrolled(3).device, enrolled(1).leases)
    made.put([other])
    made.forget(["d1"])
    assert made.of_address(address) == other
    assert made.of_address(ip_address("100.80.0.99")) is None


states = st.builds(
    enrolled,
    st.integers(1, 6),
    disabled=st.booleans(),
    expires=st.sampled_from([None, NOW - 1.0, NOW + 1.0]),
    revoked=st.sampled_from([None, NOW - 2.0]),
)
steps = st.one_of(
    st.tuples(st.just("replace"), st.lists(states, max_size=6, unique_by=lambda each: each.device.id)),
    st.tuples(st.just("put"), st.lists(states, max_size=3, unique_by=lambda each: each.device.id)),
    st.tuples(st.just("forget"), st.lists(st.integers(1, 6), max_size=3)),
    st.tuples(st.just("rotate"), st.tuples(st.integers(1, 6), st.booleans())),
)


@given(st.lists(steps, max_size=12))
def test_whatever_is_told_the_engine_has_what_holds_now(told: list[tuple[str, object]]) -> None:
    """Carried out step by step, differences lead to the peers of the last state; no address is two peers'."""
    made = Roster()
    truth: dict[str, Enrolled] = {}
    engine: dict[bytes, PeerConfig] = {}
    for verb, what in told:
        match verb, what:
            case "replace", list() as devices:
                truth = {each.device.id: each for each in devices}
                made.replace(devices)
            case "put", list() as devices:
                truth |= {each.device.id: each for each in devices}
                made.put(devices)
            case "forget", list() as numbers:
                for number in numbers:
                    truth.pop(f"d{number}", None)
                made.forget([f"d{number}" for number in numbers])
            case "rotate", (int() as number, bool() as used):
                if (found := truth.get(f"d{number}")) is not None:
                    changed = Enrolled(replace(found.device, next_key=key(number + 100)), found.leases)
                    truth[changed.device.id] = changed
                    made.put([changed])
                    if used:
                        made.handshake(key(number + 100))
        change = difference(engine, made.peers(NOW))
        for gone in change.remove:
            del engine[gone]
        engine |= {peer.public_key: peer for peer in change.put}
        assert engine == made.peers(NOW)
        allowed = [network for peer in engine.values() for network in peer.allowed_ips]
        assert len(allowed) == len(set(allowed))
        active = [each for each in truth.values() if standing(each.device, NOW) is Standing.ACTIVE]
        assert len(allowed) == 2 * len(active)
