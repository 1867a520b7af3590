"""Enrolment, renewal and rotation against a real API and a real store, with everything going wrong on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from slopn_helper.enrolment.enroller import EnrolError, device_name
from slopn_helper.enrolment.exchange import public_key
from slopn_helper.enrolment.pending import of_rotation
from slopn_helper.gateway.devices import name_problem
from slopn_helper.tunnel.context import Errand
from slopn_wire.commands import CheckEnrolment, Enrol, RenewEnrolment
from slopn_wire.enrolment import parse_link
from slopn_wire.events import Refused
from slopn_wire.profile import Endpoint
from slopn_wire.profile_replies import Enrolled, LinkHolds
from support.enrolling import Device, Lossy, at_gateway, link
from support.enrolment import World
from support.registry import DAY, NOW, new_token


@at_gateway
async def test_a_link_becomes_a_profile(world: World, tmp_path: Path) -> None:
    """With a key that the gateway knows, on the disk; the way is open for the errand alone, and nothing is left over."""
    device = Device(tmp_path / "device", now=NOW)
    text = link(world, await new_token(world.registry), host="localhost")
    assert await device.enroller.do(CheckEnrolment(text)) == LinkHolds(
        "localhost", world.port, world.identity.pin.hex(), "localhost"
    )
    assert device.errands == []
    done = await device.enroller.do(Enrol(text))
    assert isinstance(done, Enrolled)
    loaded = device.store.load()
    assert loaded.profiles == (done.profile,) == device.hub.snapshot().profiles
    (known,) = await world.registry.devices()
    assert known.device.public_key == public_key(device.store.secrets("localhost").private_key)
    assert known.device.name == "laptop"
    assert done.profile.enrolment is not None
    assert (done.profile.enrolment.device, done.profile.enrolment.since) == (known.device.id, NOW)
    assert device.errands == [Errand(names=True), Errand(apis=(Endpoint("127.0.0.1", world.port),)), Errand()]
    assert device.waiting == 0


@pytest.mark.parametrize("lost", [1, 2])
@at_gateway
async def test_an_answer_that_was_lost_is_asked_for_again(world: World, tmp_path: Path, lost: int) -> None:
    """Also after a kill: the token is good for one device, and it is the same one."""
    text = link(world, await new_token(world.registry))
    first = Device(tmp_path / "device", Lossy(lost))
    assert isinstance(await first.enroller.do(Enrol(text, "office")), Refused)
    assert first.store.load().profiles == ()
    second = Device(tmp_path / "device")
    assert isinstance(await second.enroller.do(Enrol(text, "office")), Enrolled)
    assert len(await world.registry.devices()) == 1
    assert second.waiting == 0


@at_gateway
async def test_a_kill_before_the_profile_is_whole_leaves_none(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the keys and the profile that names them, and between the profile and the pending key's end."""
    text = link(world, await new_token(world.registry))
    for place, profiles in (("_write", 0), ("_remove", 1)):
        device = Device(tmp_path / "device")
        with monkeypatch.context() as killed:

            def die(*_: object) -> None:
                raise KeyboardInterrupt

            target = device.store if place == "_write" else device.pending
            killed.setattr(target, "_write" if place == "_write" else "forget", die)
            with pytest.raises(KeyboardInterrupt):
                await device.enroller.enrol(parse_link(text), "office", replace=False)
        assert len(Device(tmp_path / "device").store.load().profiles) == profiles
        assert device.waiting == 1
    kept = Device(tmp_path / "device")
    (known,) = await world.registry.devices()
    assert known.device.public_key == public_key(kept.store.secrets("office").private_key)


@at_gateway
async def test_the_wrong_pin_is_told_and_costs_no_token(world: World, tmp_path: Path) -> None:
    """Nothing was sent; with the right one it goes on."""
    device = Device(tmp_path / "device")
    token = await new_token(world.registry)
    refused = await device.enroller.do(Enrol(link(world, token, pin=bytes(32))))
    assert isinstance(refused, Refused)
    assert "nothing was sent" in refused.message
    assert world.heard.requests == []
    assert isinstance(await device.enroller.do(Enrol(link(world, token))), Enrolled)


@at_gateway
async def test_a_token_that_is_spent_or_too_old(world: World, tmp_path: Path) -> None:
    """A sentence that says to ask for another link; no key is left over, and the way is shut."""
    device = Device(tmp_path / "device")
    token = await new_token(world.registry)
    assert isinstance(await device.enroller.do(Enrol(link(world, token), "one")), Enrolled)
    old = await new_token(world.registry)
    world.now += 2 * DAY
    for text in (link(world, token), link(world, bytes(32)), link(world, old)):
        refused = await device.enroller.do(Enrol(text, "two"))
        assert isinstance(refused, Refused)
        assert "Ask for a new one" in refused.message
    assert device.waiting == 0
    assert device.errands[-1] == Errand()


@at_gateway
async def test_a_gateway_that_is_down(world: World, tmp_path: Path) -> None:
    """Where it was looked for is said; asked again later it is the same device."""
    device = Device(tmp_path / "device")
    token = await new_token(world.registry)
    port, world.port = world.port, 1
    refused = await device.enroller.do(Enrol(link(world, token)))
    assert isinstance(refused, Refused)
    assert "127.0.0.1:1" in refused.message
    assert device.errands[-1] == Errand()
    world.port = port
    assert isinstance(await device.enroller.do(Enrol(link(world, token))), Enrolled)


@at_gateway
async def test_what_a_user_gets_wrong_is_said_before_anything_is_asked(world: World, tmp_path: Path) -> None:
    """A bad link, a bad name, one that is taken."""
    device = Device(tmp_path / "device")
    text = link(world, await new_token(world.registry, uses=3))
    assert isinstance(await device.enroller.do(Enrol(text, "office")), Enrolled)
    asked = len(world.heard.requests)
    for command in (Enrol("slopn://enrol?host=a"), Enrol(text, "a/b"), Enrol(text, "office"), RenewEnrolment("none")):
        with pytest.raises(ValueError, match=r"\S"):
            await device.enroller.do(command)
    assert len(world.heard.requests) == asked
    assert isinstance(await device.enroller.do(Enrol(text, "office", replace=True)), Enrolled)
    again = await device.enroller.do(Enrol(text))
    assert isinstance(again, Enrolled)
    third = await device.enroller.do(CheckEnrolment(text))
    assert (again.profile.name, getattr(third, "name", "")) == ("127.0.0.1", "127.0.0.1 2")


@at_gateway
async def test_an_answer_that_would_harm_is_refused_and_nothing_stored(world: World, tmp_path: Path) -> None:
    """Ten thousand gateways don't fit into an answer; forty do, and are too many."""
    device = Device(tmp_path / "device")
    for count, word in ((40, "40 gateways"), (10_000, "larger")):
        vars(world)["crowd"] = count
        refused = await _fresh(world, device)
        assert word in refused.message
    assert device.store.load().profiles == ()


async def _fresh(world: World, device: Device) -> Refused:
    refused = await device.enroller.do(Enrol(link(world, await new_token(world.registry))))
    assert isinstance(refused, Refused)
    return refused


@at_gateway
async def test_a_renewal_prolongs_and_keeps_the_key(world: World, tmp_path: Path) -> None:
    """The time is the gateway's."""
    device = Device(tmp_path / "device", now=NOW)
    await device.enroller.do(Enrol(link(world, await new_token(world.registry)), "office"))
    key = device.store.secrets("office").private_key
    world.now += 60 * DAY
    later = Device(tmp_path / "device", now=world.now)
    done = await later.enroller.do(RenewEnrolment("office"))
    assert isinstance(done, Enrolled)
    assert done.profile.enrolment is not None
    assert (done.profile.enrolment.since, done.profile.enrolment.expires) == (world.now, world.now + 90 * DAY)
    assert later.store.secrets("office").private_key == key


@pytest.mark.parametrize("lost", [0, 1, 2, 3, 4])
@at_gateway
async def test_a_rotation_has_no_gap_whatever_is_lost(world: World, tmp_path: Path, lost: int) -> None:
    """The key of the profile is one that the gateway takes, at every moment; in the end it is another one."""
    text = link(world, await new_token(world.registry))
    device = Device(tmp_path / "device")
    await device.enroller.do(Enrol(text, "office"))
    first = device.store.secrets("office").private_key
    outcome = await Device(tmp_path / "device", Lossy(lost)).enroller.do(RenewEnrolment("office", rotate=True))
    assert isinstance(outcome, Refused if lost else Enrolled)
    assert await world.registry.by_key(public_key(device.store.secrets("office").private_key)) is not None
    after = Device(tmp_path / "device")
    assert isinstance(await after.enroller.do(RenewEnrolment("office", rotate=True)), Enrolled)
    second = after.store.secrets("office").private_key
    assert second != first
    assert await world.registry.by_key(public_key(second)) is not None
    assert after.waiting == 0


@at_gateway
async def test_a_second_rotation_before_the_first_key_was_used_heals(world: World, tmp_path: Path) -> None:
    """The gateway drops a next key that was never used for another one; if that answer is lost, the device asks with it."""
    device = Device(tmp_path / "device")
    await device.enroller.do(Enrol(link(world, await new_token(world.registry)), "office"))
    await device.enroller.do(RenewEnrolment("office", rotate=True))
    assert isinstance(
        await Device(tmp_path / "device", Lossy(4)).enroller.do(RenewEnrolment("office", rotate=True)), Refused
    )
    last = Device(tmp_path / "device")
    waiting = last.pending.known(of_rotation((await world.registry.devices())[0].device.id))
    assert isinstance(await last.enroller.do(RenewEnrolment("office")), Enrolled)
    assert last.store.secrets("office").private_key == waiting


@at_gateway
async def test_a_device_that_was_revoked_is_told(world: World, tmp_path: Path) -> None:
    """As ended, and not as trouble with the network."""
    device = Device(tmp_path / "device")
    await device.enroller.do(Enrol(link(world, await new_token(world.registry)), "office"))
    (known,) = await world.registry.devices()
    await world.registry.revoke(known.device.id, now=NOW)
    with pytest.raises(EnrolError) as caught:
        await device.enroller.renew("office", rotate=False)
    assert caught.value.answer is not None
    assert caught.value.answer.ended


@pytest.mark.parametrize("name", ["laptop", "", "\x1b[2J", "ü" * 100, " a ", "u\u0308"])
def test_any_computer_has_a_name_that_gateways_take(name: str) -> None:
    """By the gateway's own rule."""
    assert name_problem(device_name(name)) is None
