from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.engine import EngineError, PathFound
from slopn_helper.pathmtu import LEAST, Known, PathMtu, is_narrow, targets, tunnel_mtu
from slopn_wire.profile import DnsConfig, Enrolment, Peer, Profile
from support.aio import in_loop

_KEY, _OTHER = bytes(32), bytes([1]) * 32
_ALL = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_FOUR = Profile(
    name="four",
    addresses=(ip_interface("10.8.0.7/32"),),
    peers=(Peer(public_key="A" * 43 + "=", allowed_ips=_ALL),),
)
_BOTH = msgspec.structs.replace(_FOUR, addresses=(*_FOUR.addresses, ip_interface("fd00:8::7/64")))


def asked(profile: Profile, allowed: tuple[str, ...] = ("0.0.0.0/0", "::/0")) -> list[tuple[str, str]]:
    """`targets` as text."""
    return [(str(a), str(b)) for a, b in targets(profile, [ip_network(one) for one in allowed])]


def test_an_enrolments_gateway_is_asked_at_its_own_address() -> None:
    """What the enrolment names inside."""
    inside = (ip_address("10.8.0.1"), ip_address("fd00:8::1"))
    enrolled = msgspec.structs.replace(_BOTH, enrolment=Enrolment("1", (), inside, 0.0))
    assert asked(enrolled) == [("10.8.0.7", "10.8.0.1"), ("fd00:8::7", "fd00:8::1")]


def test_any_other_server_at_its_resolver_or_the_networks_first_address() -> None:
    """Public resolvers come last: they are elsewhere, and needn't know of us."""
    dns = DnsConfig((ip_address("9.9.9.9"), ip_address("10.64.0.1"), ip_address("2620:fe::fe")))
    profile = msgspec.structs.replace(_FOUR, dns=dns)
    assert asked(profile) == [("10.8.0.7", "10.64.0.1"), ("10.8.0.7", "10.8.0.1"), ("10.8.0.7", "9.9.9.9")]


def test_nobody_is_asked_whose_answer_would_not_be_taken_or_who_is_ourselves() -> None:
    """The engine drops what a peer sends from an address that isn't its own."""
    first = msgspec.structs.replace(_FOUR, addresses=(ip_interface("10.8.0.1/24"),))
    assert asked(first) == []
    assert asked(_BOTH, ("10.8.0.0/24",)) == [("10.8.0.7", "10.8.0.1")]
    assert asked(_BOTH, ("192.0.2.0/24",)) == []


@pytest.mark.parametrize(
    ("path", "over6", "mtu"),
    [
        (1500, False, 1420),
        (1500, True, 1420),
        # 1432 inside, and the far end's padding of 1420 to 1424 fits.
        (1492, False, 1420),
        (1492, True, 1408),
        (1420, False, 1360),
        (1380, True, 1296),
        (1340, False, 1280),
        (1300, False, 1280),
    ],
)
def test_the_device_follows_the_path(path: int, over6: bool, mtu: int) -> None:
    """Never above wg-quick's, never below IPv6's least, and a multiple of what the far end pads to."""
    room = path - (80 if over6 else 60)
    assert tunnel_mtu(_BOTH, 1500, Known(path, room)) == mtu


def test_without_ipv6_inside_it_may_be_less() -> None:
    """Then nothing has to be cut."""
    known = Known(1280, 1220)
    assert (tunnel_mtu(_FOUR, 1500, known), tunnel_mtu(_BOTH, 1500, known)) == (1216, 1280)
    assert (is_narrow(_FOUR, known), is_narrow(_BOTH, known)) == (False, True)


def test_a_fixed_one_stays_and_an_unknown_one_is_safe() -> None:
    """The profile's own comes first; before anything is known it is wg-quick's."""
    fixed = msgspec.structs.replace(_BOTH, mtu=1400)
    assert tunnel_mtu(fixed, 1500, Known(1300, 1240)) == 1400
    assert not is_narrow(fixed, Known(1300, 1240))
    assert tunnel_mtu(_BOTH, 1500, None) == 1420
    assert tunnel_mtu(_BOTH, 1500, Known(None, LEAST)) == LEAST
    assert not is_narrow(_BOTH, Known(None, LEAST))


@given(link=st.integers(1280, 9000), path=st.integers(576, 9000), over6=st.booleans())
def test_what_fits_comes_back_whole_from_who_pads(link: int, path: int, over6: bool) -> None:
    """Where the path isn't the whole link, a full packet padded to 16 bytes fits; and nothing is above wg-quick's."""
    room = path - (80 if over6 else 60)
    mtu = tunnel_mtu(_FOUR, link, Known(path, room))
    assert mtu <= max(link - 80, 1280)
    if room >= 576 and path < link:
        assert -(-mtu // 16) * 16 <= room


class Engine:
    """Takes what is asked of `Measuring`."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, int, int]] = []
        self.refuses = False

    async def probe_path(self, public_key: bytes, targets: object, ceiling: int) -> None:
        """As the interface."""
        if self.refuses:
            raise EngineError("stopped")
        assert isinstance(targets, list)
        self.asked.append((public_key, len(targets), ceiling))


@in_loop
async def test_the_narrowest_way_counts_and_one_unknown_makes_all_unknown() -> None:
    """Of several gateways that are used."""
    path = PathMtu(Engine())
    await path.aim(_BOTH, [_KEY, _OTHER])
    assert path.known([_KEY, _OTHER]) is None
    path.found(PathFound(_KEY, 1400))
    assert path.known([_KEY, _OTHER]) == Known(1400, 1340)
    path.found(PathFound(_OTHER, 1410, over6=True))
    assert path.known([_KEY, _OTHER]) == Known(1400, 1330)
    path.found(PathFound(_OTHER, None))
    assert path.known([_KEY, _OTHER]) == Known(None, LEAST)
    assert path.known([_KEY]) == Known(1400, 1340)
    path.forget()
    assert path.known([_KEY]) is None


@in_loop
async def test_another_link_is_another_ceiling() -> None:
    """Told once each."""
    engine = Engine()
    path = PathMtu(engine)
    await path.linked(1400)
    await path.aim(_FOUR, [_KEY])
    await path.linked(1400)
    await path.linked(0)
    await path.linked(1500)
    assert engine.asked == [(_KEY, 1, 1400), (_KEY, 1, 1500)]


@in_loop
async def test_who_cannot_be_asked_is_unknown_and_a_refusing_engine_is_no_failure() -> None:
    """The tunnel works without."""
    engine = Engine()
    path = PathMtu(engine)
    await path.aim(msgspec.structs.replace(_FOUR, addresses=(ip_interface("10.8.0.1/24"),)), [_KEY])
    assert path.known([_KEY]) == Known(None, LEAST)
    engine.refuses = True
    await path.linked(1300)
