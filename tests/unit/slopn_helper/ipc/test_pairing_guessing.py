from __future__ import annotations

import random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slopn_helper.ipc.pairing import MAX_PENDING, TRIES, Asker, Chance, Confirmed, Moment, Pairings
from slopn_wire.devices import Right, ShownPairing

UNIX = 1_800_000_000.0
_SELDOM = st.sampled_from([False, False, False, True])
UIDS = st.sampled_from([0, 1000, 1001])


class Guessing(RuleBasedStateMachine):
    """Several users who pair, confirm, guess and wait in any order, held against what must never happen."""

    def __init__(self) -> None:
        super().__init__()
        generator = random.Random(1)
        self.pairings = Pairings(
            Chance(lambda: f"{generator.getrandbits(128):032x}", lambda: generator.randrange(1_000_000))
        )
        self.now = 0.0
        self.begun: list[ShownPairing] = []
        self.guesses: dict[str, int] = {}

    @rule(uid=UIDS)
    def begin(self, uid: int) -> None:
        """Ask for a number."""
        asker = Asker(uid, f"user{uid}", "/home/user/script", "script", tuple(Right))
        shown = self.pairings.begin(asker, "CSR", self._moment())
        if isinstance(shown, ShownPairing):
            self.begun.append(shown)

    @precondition(lambda self: self.begun)
    @rule(whose=st.sampled_from([None, None, None, 0, 1000, 1001]), which=st.integers(0, 1), right=_SELDOM)
    def confirm(self, whose: int | None, which: int, right: bool) -> None:
        """Try a number: only the right one, of the own pairing, in time and within the tries, pairs."""
        shown = self.begun[-1 - which % len(self.begun)]
        pairing = shown.pairing
        uid = pairing.uid if whose is None else whose
        waited = pairing in self.pairings.waiting()
        number = shown.number if right else f"{(int(shown.number) + 1) % 1_000_000:06d}"
        result = self.pairings.confirm(uid, pairing.id, number, self._moment())
        if uid == pairing.uid and waited and not right:
            self.guesses[pairing.id] = self.guesses.get(pairing.id, 0) + 1
        if isinstance(result, Confirmed):
            assert right
            assert waited
            assert uid == pairing.uid
            assert self.now < pairing.expires - UNIX
            assert self.guesses.get(pairing.id, 0) < TRIES
            assert pairing not in self.pairings.waiting()

    @rule(seconds=st.sampled_from([1.0, 40.0, 130.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    def _moment(self) -> Moment:
        return Moment(UNIX + self.now, self.now)

    @invariant()
    def bounded(self) -> None:
        """Nobody has more pairings, or tries, than allowed."""
        waiting = self.pairings.waiting()
        for uid in (0, 1000, 1001):
            assert sum(each.uid == uid for each in waiting) <= MAX_PENDING
        assert all(count <= TRIES for count in self.guesses.values())


TestGuessing = Guessing.TestCase
