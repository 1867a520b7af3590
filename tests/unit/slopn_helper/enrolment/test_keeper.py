"""Renewals that come by themselves, and what is told when they don't."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from slopn_helper.enrolment import schedule
from slopn_helper.enrolment.enroller import EnrolError
from slopn_helper.enrolment.exchange import ApiError
from slopn_helper.enrolment.keeper import ASK_EVERY, Keeper
from slopn_wire.events import Network, Snapshot, Warning  # noqa: A004 - the health list's word
from slopn_wire.profile import Enrolment, Profile
from slopn_wire.state import Connecting, ErrorCause
from support.aio import in_loop
from support.samples import ENROLLED
from support.until import until_async

DAY = 86_400.0
SINCE = 1_800_000_000.0


def enrolment(since: float = SINCE, expires: float | None = SINCE + 90 * DAY) -> Enrolment:
    """Of the profile."""
    assert ENROLLED.enrolment is not None
    return replace(ENROLLED.enrolment, since=since, expires=expires)


class World:
    """A hub's face with one profile, and a gateway that does as it is told."""

    def __init__(self, one: Enrolment | None = None) -> None:
        self.now = SINCE
        self.view = Snapshot(
            profiles=(replace(ENROLLED, name="office", enrolment=one or enrolment()),), network=Network(online=True)
        )
        self.health: tuple[Warning, ...] = ()
        self.renewals: list[tuple[float, bool]] = []
        self.error: Exception | None = None
        self.keeper = Keeper(self, self.renew, chance=lambda: 0.5, clock=lambda: self.now)

    def snapshot(self) -> Snapshot:
        """See `keeper.Hub`."""
        return self.view

    def set_checked(self, look: str, found: tuple[Warning, ...]) -> None:
        """See `keeper.Hub`."""
        assert look == "enrolment"
        self.health = found

    async def renew(self, name: str, *, rotate: bool) -> Profile:
        """See `keeper.Renew`."""
        assert name == "office"
        self.renewals.append((self.now, rotate))
        if self.error is not None:
            raise self.error
        renewed = replace(self.view.profiles[0], enrolment=enrolment(self.now, self.now + 90 * DAY))
        self.view = replace(self.view, profiles=(renewed,))
        return renewed

    @property
    def told(self) -> list[str]:
        """The codes of the health list."""
        return [one.code for one in self.health]

    async def pass_days(self, days: float, step: float = 1 / 24) -> None:
        """Look as often as `step` says."""
        end = self.now + days * DAY
        while self.now < end:
            self.now += step * DAY
            await self.keeper.look()


@in_loop
async def test_a_year_is_four_renewals_with_other_keys() -> None:
    """Each after two thirds of the time, and nothing is told."""
    world = World()
    await world.pass_days(365)
    assert 5 <= len(world.renewals) <= 6
    assert all(rotate for _, rotate in world.renewals)
    assert world.told == []


@in_loop
async def test_what_never_expires_keeps_its_key() -> None:
    """It is asked what has changed, each week."""
    world = World(enrolment(expires=None))
    await world.pass_days(8)
    assert [rotate for _, rotate in world.renewals] == [False]


@in_loop
async def test_a_gateway_that_is_down_is_told_of_in_time() -> None:
    """Tried ever less often, told of while there are weeks left, and forgotten when it goes well."""
    world = World()
    world.error = EnrolError("The gateway gave no answer.")
    await world.pass_days(74)
    assert len(world.renewals) > 20
    assert world.told == []
    await world.pass_days(3)
    assert world.told == ["enrolment_expiring"]
    world.error = None
    await world.pass_days(1)
    assert world.told == []
    count = len(world.renewals)
    await world.pass_days(30)
    assert len(world.renewals) == count


@in_loop
async def test_an_end_is_told_at_once_and_asked_again_rarely() -> None:
    """A gateway that says no has the last word, until it says otherwise."""
    world = World()
    no = ApiError("ended", "The gateway has ended this device's enrolment.")
    world.error = EnrolError(str(no), no)
    await world.pass_days(70)
    assert world.told == ["enrolment_ended"]
    world.view = replace(world.view, profiles=())
    await world.keeper.look()
    assert world.told == []


@in_loop
async def test_without_a_network_nothing_is_tried() -> None:
    """Nor counted as a failure."""
    world = World()
    world.view = replace(world.view, network=Network(online=False))
    await world.pass_days(80)
    assert world.renewals == []
    world.view = replace(world.view, network=Network(online=True))
    await world.keeper.look()
    assert len(world.renewals) == 1


@in_loop
async def test_who_isnt_let_in_asks_why() -> None:
    """After some attempts, and then every ten minutes: the device may have been revoked."""
    world = World()
    world.view = replace(world.view, state=Connecting("office", 1, cause=ErrorCause.HANDSHAKE))
    await world.keeper.look()
    assert world.renewals == []
    world.view = replace(world.view, state=Connecting("office", 2, cause=ErrorCause.HANDSHAKE))
    no = ApiError("unknown_device", "The gateway doesn't know this device any more.")
    world.error = EnrolError(str(no), no)
    for _ in range(5):
        await world.keeper.look()
    assert world.renewals == [(SINCE, False)]
    assert world.told == ["enrolment_ended"]
    world.now += ASK_EVERY
    await world.keeper.look()
    assert len(world.renewals) == 2
    world.view = replace(world.view, state=Connecting("other", 9, cause=ErrorCause.HANDSHAKE))
    world.now += ASK_EVERY
    await world.keeper.look()
    assert len(world.renewals) == 2


@in_loop
async def test_it_runs_and_wakes_when_something_moves() -> None:
    """A look at the start, and one more at each change."""
    world = World()
    slept = asyncio.Event()

    async def sleep(moved: asyncio.Event) -> None:
        slept.set()
        await moved.wait()

    world.now = schedule.due(enrolment())
    keeper = Keeper(world, world.renew, chance=lambda: 0.5, clock=lambda: world.now, sleep=sleep)
    task = asyncio.get_running_loop().create_task(keeper.run())
    await slept.wait()
    assert len(world.renewals) == 1
    world.now = SINCE + 170 * DAY
    keeper.moved()
    await until_async(lambda: len(world.renewals) == 2, 10, "it looked again")
    task.cancel()
    await asyncio.wait([task])
