"""What clients change of a profile that came by an enrolment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.tunnel.driver import Position
from slopn_wire.commands import ChangeProfile, ImportProfile, Reconnect
from slopn_wire.events import Done, Live
from slopn_wire.profile import Endpoint, EnrolledGateway, Enrolment, PostQuantum
from slopn_wire.state import Connecting
from support.fakes import PROFILE, SECRETS
from support.house import CONF, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty one."""
    return House(tmp_path)


def test_what_an_enrolment_leaves_to_the_user_can_be_changed(house: House) -> None:
    """It is stored and told; a tunnel that uses it is made anew. A file's profile has nobody to agree keys with."""
    house.import_()
    assert "came from a file" in house.refused(ChangeProfile("lab", PostQuantum.ON))
    assert "no profile" in house.refused(ChangeProfile("gone", PostQuantum.ON))
    gateway = EnrolledGateway(Endpoint("b", 1), "k", "", Endpoint("b", 443))
    enrolled = replace(PROFILE, name="home", enrolment=Enrolment("d", (gateway,), (), 0.0))
    asyncio.run(house.control.add(enrolled, SECRETS, replace=False))
    assert house.ask(ChangeProfile("home", PostQuantum.DEMAND)) == Done()
    assert [profile.post_quantum for profile in house.store.load().profiles] == [PostQuantum.DEMAND, PostQuantum.OFF]
    assert house.hub.snapshot().profiles[0].post_quantum is PostQuantum.DEMAND
    house.hub.set_position(Position(Connecting("home"), Blocked(), Blocked()), Live(), ())
    assert house.ask(ChangeProfile("home", PostQuantum.DEMAND)) == Done()
    assert house.posted == []
    answer = house.ask(ChangeProfile("home", PostQuantum.ON))
    assert isinstance(answer, Done)
    assert "again" in answer.notes[0]
    assert house.posted == [Reconnect()]


def test_the_longest_packet_of_any_profile_can_be_fixed(house: House) -> None:
    """A number, or as the path is found to be; within the bounds of a file. The other choice stays as it is."""
    house.import_()
    assert house.ask(ChangeProfile("lab", mtu=1380)) == Done()
    assert house.store.load().profiles[0].mtu == 1380
    assert "65535" in house.refused(ChangeProfile("lab", mtu=100))
    assert house.ask(ChangeProfile("lab", PostQuantum.OFF)) == Done()
    assert house.store.load().profiles[0].mtu == 1380
    assert house.ask(ChangeProfile("lab", mtu=0)) == Done()
    assert house.store.load().profiles[0].mtu is None


def test_ipv6_that_is_only_sent_into_the_tunnel_needs_its_size_too(house: House) -> None:
    """As in a file: what AllowedIPs name counts, whatever the tunnel's own addresses are."""
    both = CONF.replace("0.0.0.0/0", "0.0.0.0/0, ::/0")
    assert isinstance(house.ask(ImportProfile("lab", both, "lab.conf")), Done)
    assert "from 1280 to 65535, since IPv6 is inside" in house.refused(ChangeProfile("lab", mtu=1279))
    with_mtu = both.replace("Address", "MTU = 1279\nAddress", 1)
    assert "IPv6 needs 1280 or more" in house.refused(ImportProfile("other", with_mtu, "other.conf"))
    assert house.ask(ChangeProfile("lab", mtu=1280)) == Done()
