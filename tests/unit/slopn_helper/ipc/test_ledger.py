from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from slopn_helper.ipc.ledger import AGE, MOST, OWNERS, Ledger
from slopn_helper.principal import ALL_RIGHTS, Principal
from slopn_wire.commands import Command, Connect, Disconnect, Request
from slopn_wire.devices import UserBasis
from slopn_wire.events import Done, Result


def who(uid: int = 1000, device: str | None = "d") -> Principal:
    """Somebody with a paired front end."""
    return Principal(uid, uid, 1, None, ALL_RIGHTS, "joe", UserBasis.GROUP, None, device)


class Bench:
    """A ledger, its clock, and what was carried out."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.ledger = Ledger(lambda: self.now)
        self.begun: list[asyncio.Future[Result]] = []

    def ask(
        self, key: str, command: Command | None = None, asker: Principal | None = None, number: int = 1
    ) -> asyncio.Future[Result] | None:
        """A request; if it is carried out, it is the newest one in `begun`."""
        return self.ledger.once(asker or who(), Request(number, command or Connect("a"), key), self._begin)

    def done(self, key: str, asker: Principal | None = None) -> None:
        """A request that is carried out at once."""
        self.ask(key, asker=asker)
        self.begun[-1].set_result(Done((str(len(self.begun)),)))

    def _begin(self) -> asyncio.Future[Result]:
        self.begun.append(asyncio.get_running_loop().create_future())
        return self.begun[-1]


@pytest.fixture
def check() -> Callable[[Callable[[Bench], None]], None]:
    """Runs a check in a loop."""

    def run(checking: Callable[[Bench], None]) -> None:
        async def go() -> None:
            checking(Bench())

        asyncio.run(go())

    return run


Check = Callable[[Callable[[Bench], None]], None]


def test_a_retry_has_the_first_ones_outcome(check: Check) -> None:
    """While it is carried out and after that, under whatever number it is sent again."""

    def go(bench: Bench) -> None:
        first = bench.ask("k", number=1)
        assert bench.ask("k", number=2) is first
        bench.begun[0].set_result(Done(("once",)))
        again = bench.ask("k", number=3)
        assert again is first
        assert again is not None
        assert again.result() == Done(("once",))
        assert len(bench.begun) == 1

    check(go)


def test_without_a_key_each_request_stands_for_itself(check: Check) -> None:
    """Equal requests are carried out each time, and nothing is remembered."""

    def go(bench: Bench) -> None:
        bench.done("")
        bench.done("")
        assert len(bench.begun) == 2
        assert len(bench.ledger) == 0

    check(go)


def test_a_key_is_one_commands(check: Check) -> None:
    """The same key with another command gets neither its outcome nor the other's."""

    def go(bench: Bench) -> None:
        bench.done("k")
        assert bench.ask("k", Connect("b")) is None
        assert bench.ask("k", Disconnect()) is None
        assert len(bench.begun) == 1

    check(go)


@pytest.mark.parametrize("other", [who(device="e"), who(uid=1001), who(device=None), who(uid=0)])
def test_a_key_is_one_front_ends(check: Check, other: Principal) -> None:
    """Who repeats another's request, key and all, has it carried out with the own rights, and learns nothing of the first."""

    def go(bench: Bench) -> None:
        bench.done("k")
        mine = bench.ask("k", asker=other)
        assert mine is bench.begun[1]
        assert mine is not None
        assert not mine.done()

    check(go)


def test_programs_without_a_certificate_have_no_memory(check: Check) -> None:
    """One can't be told from the other, so the second one's request is its own."""

    def go(bench: Bench) -> None:
        bench.done("k", who(device=None))
        bench.done("k", who(device=None))
        assert len(bench.begun) == 2
        assert len(bench.ledger) == 0

    check(go)


def test_outcomes_grow_old(check: Check) -> None:
    """After that the key is as good as new."""

    def go(bench: Bench) -> None:
        bench.done("k")
        bench.now += AGE
        bench.done("other")
        assert len(bench.begun) == 2
        bench.ask("k")
        assert len(bench.begun) == 2
        bench.now += 1.0
        bench.ask("k")
        assert len(bench.begun) == 3

    check(go)


def test_what_is_under_way_never_grows_old(check: Check) -> None:
    """However long it takes, and however many others come: it is carried out once."""

    def go(bench: Bench) -> None:
        slow = bench.ask("slow")
        for number in range(2 * MOST):
            bench.now += AGE
            bench.done(f"k{number}")
        assert bench.ask("slow") is slow

    check(go)


def test_memory_is_bounded(check: Check) -> None:
    """Whatever one front end sends, and however many there are."""

    def go(bench: Bench) -> None:
        for device in range(2 * OWNERS):
            for key in range(2 * MOST):
                bench.done(f"k{key}", who(device=f"d{device}"))
            assert len(bench.ledger) <= MOST * (OWNERS + 1)
        before = len(bench.begun)
        bench.ask(f"k{2 * MOST - 1}", asker=who(device=f"d{2 * OWNERS - 1}"))
        assert len(bench.begun) == before

    check(go)


def test_a_command_that_was_cut_off_may_be_asked_again(check: Check) -> None:
    """What was cancelled has no outcome to tell."""

    def go(bench: Bench) -> None:
        bench.ask("k")
        bench.begun[0].cancel()
        assert bench.ask("k") is bench.begun[1]

    check(go)
