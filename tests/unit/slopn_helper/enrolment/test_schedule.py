"""When an enrolment is renewed, and what is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.enrolment import schedule
from slopn_wire.events import Severity
from slopn_wire.profile import Enrolment

SINCE = 1_800_000_000.0
DAY = 86_400.0


def enrolment(expires: float | None, device: str = "d") -> Enrolment:
    """Made at `SINCE`."""
    return Enrolment(device, (), (), SINCE, None if expires is None else SINCE + expires)


@given(st.text(max_size=20), st.floats(60.0, 1000 * DAY))
def test_a_renewal_is_due_after_two_thirds_and_before_it_is_told_of(device: str, lasts: float) -> None:
    """Each device at its own time, so that a thousand don't come at once; and there is time left for many tries."""
    due = schedule.due(enrolment(lasts, device)) - SINCE
    assert lasts * 2 / 3 <= due <= lasts * 0.75 + 1e-3
    assert schedule.due(enrolment(lasts, device)) == SINCE + due


def test_devices_are_spread() -> None:
    """Hundreds of devices that were enrolled together."""
    dues = sorted(schedule.due(enrolment(90 * DAY, str(number))) for number in range(300))
    assert dues[-1] - dues[0] > 7 * DAY
    assert len(set(dues)) == 300


def test_what_never_expires_is_refreshed() -> None:
    """Gateways come and go."""
    assert 7 * DAY <= schedule.due(enrolment(None)) - SINCE <= 8 * DAY


@given(
    st.integers(1, 10_000), st.floats(0, 0.999), st.none() | st.floats(-DAY, 90 * DAY), st.none() | st.floats(0, 1e9)
)
def test_pauses_are_bounded(failures: int, chance: float, left: float | None, asked: float | None) -> None:
    """Whatever a gateway asks for, and however often it failed."""
    pause = schedule.pause(failures, chance, left, asked)
    assert 0.75 * schedule.FIRST_PAUSE <= pause <= 1.25 * schedule.LONGEST_PAUSE
    if left is not None and left > 5 * schedule.FIRST_PAUSE:
        assert pause < left / 2


def test_pauses_grow() -> None:
    """Twice as long each time."""
    pauses = [schedule.pause(failures, 0.5, None) for failures in range(1, 12)]
    assert pauses[:3] == [60.0, 120.0, 240.0]
    assert pauses[-1] == schedule.LONGEST_PAUSE


def test_it_is_told_a_good_while_before_the_end() -> None:
    """Not at the first failure; then as a warning; in the end, and after a plain no at once, as an error."""
    one = enrolment(90 * DAY)
    assert schedule.told("p", one, SINCE + 70 * DAY, None, "down") is None
    late = schedule.told("p", one, SINCE + 76 * DAY, None, "down.")
    assert late is not None
    assert (late.code, late.severity, late.args["left"]) == ("enrolment_expiring", Severity.WARNING, "14 d")
    assert schedule.told("p", one, SINCE + 76 * DAY, None, None) is None
    over = schedule.told("p", one, SINCE + 91 * DAY, None, "down")
    assert over is not None
    assert (over.code, over.severity) == ("enrolment_ended", Severity.ERROR)
    gone = schedule.told("p", one, SINCE + DAY, "It was revoked.", "It was revoked.")
    assert gone is not None
    assert gone.text == "The gateways of “p” don't take this device any more: It was revoked."
