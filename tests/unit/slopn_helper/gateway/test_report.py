from __future__ import annotations

from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from slopn_helper.engine import Counters, PeerCounters
from slopn_helper.gateway import report
from slopn_helper.gateway.peers import Roster
from slopn_helper.gateway.status import PoolStatus
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Lease, Pool
from slopn_wire.profile import Endpoint

NOW = 1_800_000_000.0
DEVICE = Device("a", "laptop", b"a" * 32, DeviceKind.SLOPN, NOW - 5.0)
LEASES = (Lease("a", "v4", ip_address("100.80.0.2")),)


def roster(device: Device = DEVICE) -> Roster:
    """Of one device."""
    made = Roster()
    made.put([Enrolled(device, LEASES)])
    return made


def test_a_device_that_was_never_heard() -> None:
    """It's in the list, without a place and a time."""
    (peer,) = report.peers(roster(), Counters(), lambda _: False, NOW)
    assert (peer.device, peer.endpoint, peer.last_handshake, peer.rx_bytes) == ("a", None, None, 0)
    assert report.peers(roster(replace(DEVICE, disabled=True)), Counters(), lambda _: False, NOW) == ()


def test_both_keys_count_and_the_latest_says_where() -> None:
    """While a key is changed, bytes are the sum, and the place is that of the last handshake."""
    old = PeerCounters(b"a" * 32, ("192.0.2.1", 1), NOW - 100.0, 10, 20)
    new = PeerCounters(b"n" * 32, ("192.0.2.2", 2), NOW - 1.0, 1, 2)
    rotating = roster(replace(DEVICE, next_key=b"n" * 32))
    rotating.handshake(b"n" * 32)
    (peer,) = report.peers(rotating, Counters(peers=(old, new)), lambda key: key == b"n" * 32, NOW)
    assert (peer.rx_bytes, peer.tx_bytes) == (11, 22)
    assert (peer.endpoint, peer.last_handshake) == (Endpoint("192.0.2.2", 2), NOW - 1.0)
    assert peer.post_quantum


def test_how_far_pools_are_used() -> None:
    """Network, gateway, broadcast and what is reserved can't be lent; a pool that is nearly full is trouble."""
    pools = (
        Pool("v4", ip_network("100.80.0.0/28"), (ip_address("100.80.0.5"), ip_address("100.80.0.1"))),
        Pool("v6", ip_network("fd80::/64")),
    )
    found = report.pools({"v4": 12, "v6": 12}, pools)
    assert found[0] == PoolStatus("v4", 12, 12)
    assert found[1].size == 2**32 - 2
    (trouble,) = report.pool_troubles(found)
    assert trouble.code == "pool"
    assert "v4" in trouble.message


def test_a_clock_that_is_behind() -> None:
    """A device that was enrolled in the future tells it; one that was a moment ago, by another's clock, doesn't."""
    assert [each.code for each in report.clock_trouble(roster(), NOW - 3600.0)] == ["clock"]
    assert list(report.clock_trouble(roster(), NOW - 60.0)) == []
    assert list(report.clock_trouble(Roster(), 0.0)) == []
