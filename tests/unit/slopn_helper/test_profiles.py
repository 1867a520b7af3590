"""The shelf of profiles: which one is meant. Import, export and removal are tested where clients ask for them, in test_control."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper import profiles as module
from slopn_helper.profiles import Profiles
from slopn_helper.store import Store
from slopn_wire.commands import ChangeProfile, ImportProfile
from slopn_wire.profile import Endpoint, EnrolledGateway, Enrolment, PostQuantum
from support.fakes import PROFILE, SECRETS

CONF = (
    "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAddress = 10.9.0.2/32\n"
    "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nEndpoint = 192.0.2.1:51820\nAllowedIPs = 0.0.0.0/0\n"
)


def shelf(directory: Path, *names: str) -> Profiles:
    """With profiles of these names."""
    return Profiles(Store(directory, os.geteuid()), [replace(PROFILE, name=name) for name in names], lambda _: None)


@pytest.mark.parametrize(
    ("names", "asked", "last", "meant"),
    [
        (("a", "b"), "b", "a", "b"),
        (("a", "b"), None, "a", "a"),
        (("a",), None, None, "a"),
        (("a",), None, "gone", "a"),
    ],
)
def test_which_is_meant(
    tmp_path: Path, names: tuple[str, ...], asked: str | None, last: str | None, meant: str
) -> None:
    """The one named, else the last one used, else the only one."""
    assert shelf(tmp_path, *names).choose(asked, last) == meant


@pytest.mark.parametrize(
    ("names", "asked", "says"),
    [
        ((), None, "slopn import"),
        (("b", "a"), None, "Say which profile: a, b."),
        (("b", "a"), "c", "There are: a, b."),
        ((), "c", "none yet"),
    ],
)
def test_which_is_not_clear(tmp_path: Path, names: tuple[str, ...], asked: str | None, says: str) -> None:
    """The sentence lists those there are."""
    with pytest.raises(ValueError, match=says.replace(".", r"\.")):
        shelf(tmp_path, *names).choose(asked, None)


def test_all_profiles_fit_into_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that would make the list too large for every front end is refused, and nothing is stored."""
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    some = shelf(tmp_path, "a", "b")
    command = ImportProfile("c", CONF, "c.conf")
    with pytest.raises(ValueError, match="remove some first"):
        asyncio.run(some.add(command, lambda _: False))
    assert some.names() == ("a", "b")
    assert not list(tmp_path.rglob("*.json"))


def test_all_profiles_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with more networks than there is room for is refused; replacing one of them makes room."""
    room = 3 * (
        len(PROFILE.addresses) + len(PROFILE.dns.servers) + sum(len(peer.allowed_ips) for peer in PROFILE.peers)
    )
    monkeypatch.setattr(module, "MOST_NETWORKS", room)
    Store(tmp_path, os.geteuid()).load()
    some = shelf(tmp_path, "a", "b", "c")
    with pytest.raises(ValueError, match="networks and addresses; remove some first"):
        asyncio.run(some.add(ImportProfile("d", CONF, "d.conf"), lambda _: False))
    assert not list(tmp_path.rglob("profiles/*.json"))
    asyncio.run(some.add(ImportProfile("c", CONF, "c.conf", replace=True), lambda _: False))


def test_what_the_user_chose_while_a_renewal_was_under_way_holds(tmp_path: Path) -> None:
    """It was made of the profile as it was before: to store that would take the demand for a key back in silence."""

    async def run() -> None:
        gateway = EnrolledGateway(
            Endpoint("192.0.2.1", 51820), PROFILE.peers[0].public_key, "00" * 32, Endpoint("a", 443)
        )
        enrolment = Enrolment("abcdefgh", (gateway,), (), 0.0)
        enrolled = replace(PROFILE, name="office", enrolment=enrolment, post_quantum=PostQuantum.ON)
        store = Store(tmp_path, os.geteuid())
        store.load()
        profiles = Profiles(store, [], lambda _: None)
        await profiles.put(enrolled, SECRETS, lambda _: False, replace=False)
        renewed = replace(enrolled, enrolment=replace(enrolment, since=5.0))
        await profiles.change(ChangeProfile("office", PostQuantum.DEMAND))
        await profiles.renewed(renewed, None)
        assert profiles.named("office") == replace(renewed, post_quantum=PostQuantum.DEMAND)

    asyncio.run(run())
