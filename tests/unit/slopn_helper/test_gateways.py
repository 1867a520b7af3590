"""Where a profile's gateways are found, by name, in the past, and not inside the tunnel."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from ipaddress import ip_address, ip_interface
from pathlib import Path

import msgspec
import pytest

from slopn_helper.addresses import LastGood
from slopn_helper.gateways import Gateways
from slopn_helper.tunnel.driver import ProfileError
from slopn_wire.profile import Endpoint, IPAddress, Peer, Profile
from support.fakes import PROFILE, FakeResolve

KEY = b64decode(PROFILE.peers[0].public_key)
PORTAL = "http://portal.example/page"


class Finder:
    """`Gateways` on a resolver of the test's."""

    def __init__(self, directory: Path, *addresses: str) -> None:
        self.resolve = FakeResolve(*addresses)
        self.gateways = Gateways(self.resolve, LastGood(directory / "addresses.json"), 1)

    def find(self, profile: Profile = PROFILE, *, failing: bool = False) -> list[tuple[str, ...]]:
        """The addresses of each gateway."""
        found = asyncio.run(self.gateways.find(profile, (), frozenset({4, 6}), failing=failing, portal_url=PORTAL))
        return [tuple(endpoint.host for endpoint in each) for each in found]


def _at(host: str) -> Profile:
    (peer,) = PROFILE.peers
    return msgspec.structs.replace(PROFILE, peers=(msgspec.structs.replace(peer, endpoint=Endpoint(host, 51820)),))


def test_all_addresses_are_raced(tmp_path: Path) -> None:
    """Both families in turn; another begins after each failure, the first again after a success."""
    finder = Finder(tmp_path, "192.0.2.1", "192.0.2.2", "2001:db8::1")
    assert finder.find() == [("192.0.2.1", "2001:db8::1", "192.0.2.2")]
    assert finder.find(failing=True)[0][0] == "2001:db8::1"
    assert finder.find()[0][0] == "192.0.2.1"


def test_without_a_resolver_the_last_good_address_is_tried(tmp_path: Path) -> None:
    """If there is one; else what the resolver said is raised as it is."""
    finder = Finder(tmp_path, "192.0.2.1")
    finder.resolve.fails = OSError("no answer")
    with pytest.raises(OSError, match="no answer"):
        finder.find()
    finder.gateways.answered(KEY, ip_address("192.0.2.9"))
    finder.resolve.fails = None
    finder.find()
    finder.gateways.answered(KEY, ip_address("192.0.2.9"))
    finder.gateways.answered(b"nobody's", ip_address("192.0.2.8"))
    finder.resolve.fails = OSError("no answer")
    assert finder.find() == [("192.0.2.9",)]


def test_the_other_familys_address_is_tried_where_no_resolver_answers(tmp_path: Path) -> None:
    """A network with IPv6 alone, and a resolver that only IPv4 reaches: what it said before is known."""
    finder = Finder(tmp_path, "192.0.2.1", "2001:db8::1")
    finder.find()
    finder.gateways.answered(KEY, ip_address("192.0.2.1"))
    finder.resolve.fails = OSError("no answer")
    assert finder.find() == [("192.0.2.1", "2001:db8::1")]


def test_a_literal_address_is_not_remembered(tmp_path: Path) -> None:
    """It is in the profile."""
    finder = Finder(tmp_path, "192.0.2.1")
    finder.find(_at("192.0.2.1"))
    finder.gateways.answered(KEY, ip_address("192.0.2.1"))
    assert not (tmp_path / "addresses.json").exists()


def test_an_address_inside_the_tunnel_is_no_gateway(tmp_path: Path) -> None:
    """A resolver's word is passed over for a better one; alone it is tried again, since he may lie; the profile's is refused."""
    addresses = (ip_interface("10.9.0.2/24"),)
    inside = msgspec.structs.replace(PROFILE, addresses=addresses)
    assert Finder(tmp_path, "10.9.0.1", "192.0.2.1").find(inside) == [("192.0.2.1",)]
    with pytest.raises(LookupError, match=r"10\.9\.0\.1 lies in the tunnel's own network"):
        Finder(tmp_path, "10.9.0.1").find(inside)
    with pytest.raises(ProfileError, match=r"10\.9\.0\.1 lies in the tunnel's own network"):
        Finder(tmp_path, "10.9.0.1").find(msgspec.structs.replace(_at("10.9.0.1"), addresses=addresses))


def test_a_resolver_that_lies(tmp_path: Path) -> None:
    """Its word comes first, as long as it may be true; once it has failed, where the gateway was last is tried too."""
    finder = Finder(tmp_path, "192.0.2.1")
    finder.find()
    finder.gateways.answered(KEY, ip_address("192.0.2.1"))
    finder.resolve.addresses = (ip_address("192.0.2.66"),)
    assert finder.find() == [("192.0.2.66",)]
    assert set(finder.find(failing=True)[0]) == {"192.0.2.66", "192.0.2.1"}
    finder.resolve.addresses = tuple(ip_address(f"192.0.2.{n}") for n in range(100, 116))
    for _ in range(5):
        assert "192.0.2.1" in finder.find(failing=True)[0]


def test_an_address_in_the_clothes_of_the_other_family(tmp_path: Path) -> None:
    """Packets carry IPv4 where IPv6 only wraps it."""
    assert Finder(tmp_path, "::ffff:192.0.2.1", "192.0.2.1").find() == [("192.0.2.1",)]


def test_where_to_look_for_a_portal(tmp_path: Path) -> None:
    """Asked while connecting fails alone; a name that nobody knows costs nothing."""
    finder = Finder(tmp_path, "192.0.2.1")
    finder.find()
    assert not finder.gateways.portal(PORTAL)
    finder.find(failing=True)
    assert finder.gateways.portal(PORTAL) == (ip_address("192.0.2.1"),)
    assert finder.gateways.portal("http://other.example/") == (), "its host is another"
    assert [asked[0] for asked in finder.resolve.asked] == ["vpn.example.org", "portal.example", "vpn.example.org"]
    finder.find()
    assert not finder.gateways.portal(PORTAL)
    finder.resolve.fails = OSError("no answer")
    finder.gateways.answered(KEY, ip_address("192.0.2.1"))
    assert finder.find(failing=True) == [("192.0.2.1",)]
    assert not finder.gateways.portal(PORTAL)
    finder.resolve.fails = None
    finder.find(failing=True)
    assert finder.gateways.portal(PORTAL)
    finder.gateways.answered(KEY, ip_address("192.0.2.1"))
    assert not finder.gateways.portal(PORTAL), "the next failure is another network's"


def test_nobody_to_connect_to(tmp_path: Path) -> None:
    """No peer has an endpoint: the user must act."""
    peers = tuple(msgspec.structs.replace(peer, endpoint=None) for peer in PROFILE.peers)
    with pytest.raises(ProfileError, match="nobody to connect to"):
        Finder(tmp_path).find(msgspec.structs.replace(PROFILE, peers=peers))


class OnlyOne(FakeResolve):
    """No other name than `vpn.example.org` is known."""

    async def __call__(
        self,
        host: str,
        resolvers: Sequence[IPAddress],
        fwmark: int | None,
        *,
        timeout: float,  # noqa: ASYNC109 - as the interface
    ) -> tuple[IPAddress, ...]:
        """As the interface."""
        if host != "vpn.example.org":
            raise OSError(f"no {host}")
        return await super().__call__(host, resolvers, fwmark, timeout=timeout)


def test_of_several_gateways_one_that_is_found_is_enough(tmp_path: Path) -> None:
    """Those that aren't have no address; none at all is a failure as ever."""
    gateways = Gateways(OnlyOne("192.0.2.1"), LastGood(tmp_path / "addresses.json"), 1)
    (peer,) = PROFILE.peers
    gone = msgspec.structs.replace(peer, endpoint=Endpoint("gone.example.org", 51820))

    def found(*peers: Peer, any_of: bool) -> tuple[tuple[Endpoint, ...], ...]:
        profile = msgspec.structs.replace(PROFILE, peers=peers)
        return asyncio.run(gateways.find(profile, (), frozenset({4}), failing=False, portal_url=PORTAL, any_of=any_of))

    assert found(gone, peer, any_of=True) == ((), (Endpoint("192.0.2.1", 51820),))
    with pytest.raises(OSError, match="no gone"):
        found(gone, peer, any_of=False)
    with pytest.raises(OSError, match="no gone"):
        found(gone, any_of=True)
