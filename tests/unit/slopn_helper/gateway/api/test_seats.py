from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.api.seats import Place, Seats
from slopn_wire.profile import IPNetwork


def source(number: int) -> IPNetwork:
    """One of many."""
    return IPv4Network(f"192.0.2.{number}")


def seated(place: Place) -> int:
    """The seat that was got."""
    assert place.seat is not None
    return place.seat


def test_one_source_has_its_share() -> None:
    """And gets one again when it has left one; twice is no error."""
    seats = Seats(10, 2)
    first = seated(seats.take(source(1)))
    assert seats.take(source(1)).seat is not None
    assert seats.take(source(1)) == Place(None)
    seats.leave(first)
    seats.leave(first)
    assert seats.taken == 1
    assert seats.take(source(1)).seat is not None


def test_the_longest_wait_of_whoever_has_most_makes_room() -> None:
    """Half-open connections of one source keep nobody else out."""
    seats = Seats(4, 3)
    greedy = [seated(seats.take(source(1))) for _ in range(3)]
    modest = seated(seats.take(source(2)))
    seats.wait(greedy[0])  # another request came and was answered: its wait begins anew
    assert seats.take(source(3)).leaves == greedy[1]
    assert seats.take(source(4)).leaves == greedy[2]
    # Now all have one. The next of somebody new ends the longest wait.
    assert seats.take(source(5)).leaves is not None
    seats.work(modest)
    assert seats.taken == 4


def test_who_has_as_many_gets_no_more() -> None:
    """A crowd that comes twice doesn't push out those that came once."""
    seats = Seats(2, 5)
    seats.take(source(1))
    seats.take(source(2))
    assert seats.take(source(1)) == Place(None)


def test_what_is_worked_at_is_not_ended() -> None:
    """Somebody would lose an answer."""
    seats = Seats(2, 2)
    for _ in range(2):
        seats.work(seated(seats.take(source(1))))
    assert seats.take(source(2)) == Place(None)


@given(st.lists(st.tuples(st.sampled_from(["take", "wait", "work", "leave"]), st.integers(1, 6)), max_size=200))
def test_never_more_than_there_are(steps: list[tuple[str, int]]) -> None:
    """Against a plain list of who sits where."""
    seats = Seats(5, 3)
    there: dict[int, IPNetwork] = {}
    working: set[int] = set()
    for what, number in steps:
        if what == "take":
            place = seats.take(source(number))
            if place.leaves is not None:
                assert place.leaves not in working
                mine = list(there.values()).count(source(number))
                assert list(there.values()).count(there.pop(place.leaves)) > mine
            if place.seat is not None:
                there[place.seat] = source(number)
        elif there:
            seat = sorted(there)[number % len(there)]
            getattr(seats, what)(seat)
            if what == "leave":
                del there[seat]
            (working.add if what == "work" else working.discard)(seat)
        assert seats.taken == len(there) <= 5
        assert all(list(there.values()).count(each) <= 3 for each in there.values())
