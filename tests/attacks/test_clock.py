"""The helper's clock is set: by an attacker on the network (NTP), an empty battery, or a user at another system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.answers import kind
from attacks.field import Field
from slopn_wire.commands import ConfirmPairing, GetSnapshot, Pair, RevokeDevice
from slopn_wire.events import Done, ErrorKind, NumberNeeded, Snapshot
from support.certificates import new_key, request_for

YEAR = 365 * 86400.0
TESTS = Path(__file__).resolve().parents[1]


class Clock:
    """The helper's. Setting it restarts the helper."""

    def __init__(self, field: Field, file: Path) -> None:
        self.field = field
        self._file = file

    def set(self, years: float) -> None:
        """So many years ahead of the right time."""
        self._file.write_text(str(years * YEAR), encoding="ascii")
        self.field.restart(gently=True)
        self.field.forget_root()
        self.field.begin()


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clock]:
    """A helper of its own, whose clock is right at first."""
    file = tmp_path_factory.mktemp("clock") / "offset"
    file.write_text("0", encoding="ascii")
    with Field("attacks.late_helper", {"CLOCK_OFFSET": str(file), "PYTHONPATH": str(TESTS)}) as field:
        yield Clock(field, file)


@pytest.fixture
def field(clock: Clock) -> Iterator[Field]:
    """It must be as it was in the end, by a clock that is right."""
    with clock.field.endured():
        yield clock.field
        clock.set(0)


@pytest.mark.root
def test_clock_ahead(clock: Clock, field: Field) -> None:
    """The clock is set two years ahead, so that certificates run out.

    They are refused, with the sentence what to do; once the clock is right again they hold.
    """
    alice = field.user()
    held = field.pair(alice)
    clock.set(2)
    with alice.secured(held.shown) as line:
        assert kind(line.ask(GetSnapshot())) is ErrorKind.NOT_PAIRED
    field.refused(alice, *["expired_certificate"] * 2)
    clock.set(0)
    with alice.secured(held.shown) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)


@pytest.mark.root
def test_clock_behind(clock: Clock, field: Field) -> None:
    """The clock is set ten years back, before the authority was made.

    Front ends that are paired are served: our own authority has signed what seems to come from the future. Who was
    revoked stays so, and who pairs now holds a certificate that is good once the clock is right.
    """
    alice, mallory = field.user(), field.user()
    held, revoked = field.pair(alice), field.pair(mallory)
    assert field.ask_root(RevokeDevice(revoked.device)) == Done()
    clock.set(-10)
    with alice.secured(held.shown) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)
    with mallory.secured(revoked.shown) as line:
        assert kind(line.ask(GetSnapshot())) is ErrorKind.NOT_PAIRED
    late = field.pair(alice)
    clock.set(0)
    with alice.secured(late.shown) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)


@pytest.mark.root
def test_clock_and_numbers(clock: Clock, field: Field) -> None:
    """The clock is wrong while somebody guesses a pairing's number, so that it might never run out.

    Numbers, tries and waits go by a clock that nobody sets.
    """
    clock.set(-10)
    mallory = field.user()
    with mallory.secured() as line:
        needed = line.ask(Pair("late", request_for(new_key())))
        assert isinstance(needed, NumberNeeded)
        for _ in range(3):
            assert kind(line.ask(ConfirmPairing(needed.pairing, "no"))) is ErrorKind.INVALID
        assert kind(line.ask(Pair("again", request_for(new_key())))) is ErrorKind.LIMITED
