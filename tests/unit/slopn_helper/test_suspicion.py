from __future__ import annotations

from slopn_helper.suspicion import EVERY, MOST_TALK, Suspicion, Todo


class Watched:
    """A gateway and its counters, looked at in step."""

    def __init__(self, rtt: float | None = 0.02) -> None:
        self.suspicion = Suspicion()
        self.now = 100.0
        self._received = self._sent = 0
        self._rtt = rtt

    def look(self, *, hears: bool = False, says: bool = True) -> Todo:
        """One look, after so much traffic."""
        self.now += EVERY
        self._received += 100 * hears
        self._sent += 100 * says
        return self.suspicion.look(self._received, self._sent, self._rtt, self.now)

    def until_asked(self, most: int = 60) -> float:
        """Seconds of talk without an answer until it is asked."""
        began = self.now
        for _ in range(most):
            if self.look() is Todo.ASK:
                return self.now - began
        raise AssertionError("never asked")


def test_a_dead_gateway_is_given_up_within_four_seconds() -> None:
    """It is asked, then everybody, then another may take its place: from the first packet without an answer."""
    watched = Watched()
    watched.look(hears=True)
    began, done = watched.now, []
    while not watched.suspicion.is_given_up(watched.now):
        done.append(watched.look())
    assert [todo for todo in done if todo is not Todo.NOTHING] == [Todo.ASK, Todo.ASK_ALL]
    assert 2.0 <= watched.now - began <= 4.0


def test_a_slow_path_gets_more_time() -> None:
    """Two round trips for each question."""
    watched = Watched(rtt=1.5)
    watched.until_asked()
    while (todo := watched.look()) is Todo.NOTHING:
        pass
    assert todo is Todo.ASK_ALL
    assert not watched.suspicion.is_given_up(watched.now + 1.0)
    assert watched.suspicion.is_given_up(watched.now + 1.5)


def test_who_answers_is_never_asked() -> None:
    """Traffic both ways, or none at all."""
    watched = Watched()
    assert {watched.look(hears=n % 2 == 0) for n in range(100)} == {Todo.NOTHING}
    assert {watched.look(says=False) for _ in range(100)} == {Todo.NOTHING}


def test_keepalives_are_no_talk() -> None:
    """One each 25 s, which nobody answers."""
    watched = Watched()
    assert {watched.look(says=n % 50 == 0) for n in range(1000)} == {Todo.NOTHING}


def test_an_answer_calms_and_the_others_are_let_go() -> None:
    """Also when everybody was asked; then it begins anew."""
    watched = Watched()
    watched.until_asked()
    assert watched.look(hears=True) is Todo.NOTHING
    watched.until_asked()
    while watched.look() is not Todo.ASK_ALL:
        pass
    assert watched.look(hears=True) is Todo.CALM
    assert not watched.suspicion.is_given_up(watched.now + 60)


def test_data_that_goes_one_way_is_asked_about_less_and_less() -> None:
    """Each answer was a handshake's alone. Traffic both ways makes it quick again."""
    watched = Watched()
    waits = []
    for _ in range(5):
        waits.append(watched.until_asked())
        watched.look(hears=True)
    assert waits == sorted(waits)
    assert waits[-1] >= MOST_TALK * EVERY - EVERY
    for _ in range(3):
        watched.look(hears=True)
    assert watched.until_asked() == waits[0]
