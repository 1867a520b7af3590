from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slopn_helper.gateway.bans import Ban, By, Why
from slopn_helper.gateway.bans.book import Book, Change, Put, Remove, Terms

TERMS = Terms(failures=3, window=60.0, first=100.0, factor=4.0, longest=1000.0, remembered=500.0)
BAD, SOURCE = ip_address("203.0.113.7"), ip_network("203.0.113.7/32")


def fail(book: Book, times: int, now: float, address: str = "203.0.113.7") -> list[Change]:
    """So many failures at once; what is to be done after the last."""
    changes: list[Change] = []
    for _ in range(times):
        changes = book.failed(ip_address(address), Why.BAD_TOKEN, now)
    return changes


def banned(changes: list[Change]) -> Ban:
    """The one ban that is to be set."""
    (change,) = changes
    assert isinstance(change, Put)
    return change.ban


def test_the_third_failure_within_the_window_bans() -> None:
    """Not the second, and with reason, count and times."""
    book = Book(TERMS)
    assert fail(book, 2, 1000.0) == []
    ban = banned(fail(book, 1, 1059.0))
    assert ban == Ban(SOURCE, By.GATEWAY, 1059.0, 1159.0, Why.BAD_TOKEN, 3, 1)
    assert book.bans(1100.0) == (ban,)
    assert book.bans(1159.0) == ()


def test_the_window_slides() -> None:
    """A failure is forgotten one window after it, not when a new one begins."""
    book = Book(TERMS)
    assert [bool(book.failed(BAD, Why.NOT_TLS, at)) for at in (0.0, 59.0, 61.0, 118.0)] == [False, False, False, True]


def test_addresses_of_one_64_count_together() -> None:
    """Who changes his address with each attempt is banned with the rest."""
    book = Book(TERMS)
    fail(book, 1, 0.0, "2001:db8:1:2::1")
    fail(book, 1, 0.0, "2001:db8:1:3::1")
    fail(book, 1, 0.0, "2001:db8:1:2:ffff::2")
    assert banned(fail(book, 1, 0.0, "2001:db8:1:2:8::3")).source == ip_network("2001:db8:1:2::/64")


def test_bans_in_a_row_grow_up_to_the_longest() -> None:
    """Each four times as long as the one before."""
    book = Book(TERMS)
    now, lengths, levels = 0.0, [], []
    for _ in range(4):
        ban = banned(fail(book, 3, now))
        assert ban.until is not None
        lengths.append(ban.until - ban.since)
        levels.append(ban.level)
        now = ban.until + 1.0
    assert lengths == [100.0, 400.0, 1000.0, 1000.0]
    assert levels == [1, 2, 3, 4]


def test_growth_is_forgotten_after_a_while() -> None:
    """A source that was quiet for `remembered` seconds after its ban begins anew."""
    for quiet, level in ((499.0, 2), (501.0, 1)):
        book = Book(TERMS)
        fail(book, 3, 0.0)
        assert banned(fail(book, 3, 100.0 + quiet)).level == level


def test_what_was_on_its_way_doesnt_count_but_what_gets_through_does() -> None:
    """Right after a ban nothing happens; later failures show that somebody has lifted it in the kernel."""
    book = Book(TERMS)
    fail(book, 3, 0.0)
    assert fail(book, 10, 1.0) == []
    assert banned(fail(book, 3, 10.0)).level == 2


def test_a_lifted_source_begins_anew() -> None:
    """Its failures and its level are forgotten; lifting nothing is nothing."""
    book = Book(TERMS)
    fail(book, 3, 0.0)
    assert book.lift(SOURCE) == [Remove(SOURCE)]
    assert book.lift(SOURCE) == []
    assert book.bans(1.0) == ()
    assert fail(book, 2, 1.0) == []
    assert banned(fail(book, 1, 1.0)).level == 1


@pytest.mark.parametrize(
    ("allowed", "address"),
    [("203.0.113.0/24", "203.0.113.7"), ("2001:db8::5/128", "2001:db8::7"), ("::/0", "2001:db8::7")],
)
def test_nobody_of_the_allow_list_is_kept_out(allowed: str, address: str) -> None:
    """Not by a ban of the /64 that he is in either, nor by hand, nor by what the kernel had."""
    book = Book(TERMS, [ip_network(allowed)])
    assert fail(book, 10, 0.0, address) == []
    source = ip_network(address if "." in address else "2001:db8::/64")
    with pytest.raises(ValueError, match="allow list"):
        book.add(source, 10.0, 0.0)
    assert book.adopt([Ban(source, By.GATEWAY, 0.0, 9.0, Why.UNKNOWN)], 0.0) == [Remove(source)]


def test_a_new_name_on_the_allow_list_lifts_its_ban() -> None:
    """An administrator who logs in from elsewhere."""
    book = Book(TERMS)
    fail(book, 3, 0.0)
    assert book.allow([SOURCE], 1.0) == [Remove(SOURCE)]
    assert book.bans(1.0) == ()


def test_a_ban_by_hand_replaces_and_doesnt_grow() -> None:
    """Also one without an end."""
    book = Book(TERMS)
    fail(book, 3, 0.0)
    ban = banned(book.add(SOURCE, None, 5.0))
    assert (ban.until, ban.why, ban.level) == (None, Why.BY_HAND, 0)
    assert book.bans(1e12) == (ban,)


def test_the_kernel_is_the_truth() -> None:
    """Adopted bans are in force and grow on; those that the kernel hasn't are over, and still lengthen the next."""
    book = Book(TERMS)
    fail(book, 3, 0.0, "198.51.100.1")
    there = Ban(SOURCE, By.GATEWAY, 0.0, 50.0, Why.BAD_TOKEN, 3, 2)
    assert book.adopt([there], 10.0) == []
    assert book.bans(10.0) == (there,)
    assert banned(fail(book, 3, 60.0)).level == 3
    assert banned(fail(book, 3, 60.0, "198.51.100.1")).level == 2


def test_a_flood_of_sources_costs_a_bounded_memory() -> None:
    """The sources seen longest ago are forgotten, the latest are still counted."""
    book = Book(Terms(failures=3, most_sources=100, most_bans=50))
    for number in range(5000):
        fail(book, 3 if number % 2 else 1, float(number), str(ip_address(0x0A000000 + number)))
        assert book.remembered <= 250
    assert banned(fail(book, 3, 5000.0)[-1:]).source == SOURCE


def test_for_one_ban_too_many_the_first_to_end_is_lifted() -> None:
    """So that who fills the kernel's set with sources of his own doesn't go on with the next one."""
    book = Book(Terms(failures=1, most_bans=3))
    for number in range(3):
        book.failed(ip_address(number + 1), Why.NOT_TLS, float(number))
    changes = book.failed(BAD, Why.NOT_TLS, 10.0)
    assert changes[0] == Remove(ip_network("0.0.0.1/32"))
    assert banned(changes[1:]).source == SOURCE


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    """Failures in the future of the new time don't count."""
    book = Book(TERMS)
    fail(book, 2, 1e6)
    assert fail(book, 2, 10.0) == []


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["fail", "lift", "add", "adopt"]), st.integers(1, 4), st.floats(0.0, 90.0)),
        max_size=60,
    )
)
def test_the_kernel_and_the_book_agree(steps: list[tuple[str, int, float]]) -> None:
    """Whoever carries the changes out in order, and lets bans end by themselves, keeps out exactly the book's bans."""
    book = Book(Terms(failures=2, window=50.0, first=60.0, most_bans=3, remembered=100.0))
    kernel: dict[object, Ban] = {}
    now = 0.0
    for what, number, passed in steps:
        now += passed
        kernel = {source: ban for source, ban in kernel.items() if ban.until is None or ban.until > now}
        address = ip_address(number)
        source = ip_network(address)
        if what == "fail":
            changes = book.failed(address, Why.BAD_TOKEN, now)
        elif what == "lift":
            changes = book.lift(source)
        elif what == "add":
            changes = book.add(source, 30.0, now)
        else:
            changes = book.adopt(list(kernel.values()), now)
        for change in changes:
            if isinstance(change, Put):
                kernel[change.ban.source] = change.ban
            else:
                kernel.pop(change.source, None)
        assert set(kernel.values()) == set(book.bans(now))
        assert len(kernel) <= 3
