from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ipc.certificates import ClientCertificate, Issued
from slopn_helper.ipc.registry import MAX_DEVICES, MAX_NAME, MAX_PER_USER, Entry, Registry, name_problem
from slopn_helper.ipc.verdicts import Problem
from slopn_wire.devices import Right

DAY = 86400.0
NOW = 20_000 * DAY
YEAR = 365 * DAY


def entry(device: str = "d1", **about: Any) -> Entry:
    """A device of Anna's."""
    values: dict[str, Any] = {
        "id": device,
        "name": "window",
        "uid": 1000,
        "user": "anna",
        "program": "/opt/slopn/bin/slopn-window",
        "rights": (Right.VIEW,),
        "created": NOW,
        "serial": f"{device}01",
        "expires": NOW + YEAR,
    }
    return Entry(**(values | about))


def certificate(device: str = "d1", serial: str | None = None, **about: float) -> ClientCertificate:
    """The one it was paired with."""
    dates = {"not_before": NOW - 3600, "not_after": NOW + YEAR} | about
    return ClientCertificate(serial=f"{device}01" if serial is None else serial, device=device, **dates)


def renewed(serial: str = "d102", until: float = NOW + 2 * YEAR) -> Issued:
    """Another one, for the same device."""
    return Issued("PEM", serial, NOW, until)


BOOK = Registry("f", (entry(), entry("d2", uid=1001, user="bert")))


def test_a_certificate_stands_for_its_device() -> None:
    """Shown by the user it was issued to, within its dates."""
    assert BOOK.judge(certificate(), 1000, "anna", NOW) == BOOK.find("d1")


@pytest.mark.parametrize(
    ("uid", "user"),
    [(1001, "bert"), (1001, "anna"), (0, "root"), (1000, "carl"), (1000, "1000"), (1000, "")],
    ids=["another", "another of that name", "root", "uid given anew", "without a name", "empty name"],
)
def test_a_certificate_counts_for_its_user_alone(uid: int, user: str) -> None:
    """Stolen, it is worth nothing under any other uid; nor to who was given the uid of a user that is gone."""
    assert BOOK.judge(certificate(), uid, user, NOW) is Problem.OTHER_USER
    assert BOOK.judge_again("d1", uid, user, NOW) is Problem.OTHER_USER


def test_a_certificate_expires() -> None:
    """To the second, by its own date."""
    assert isinstance(BOOK.judge(certificate(), 1000, "anna", NOW + YEAR), Entry)
    assert BOOK.judge(certificate(), 1000, "anna", NOW + YEAR + 1) is Problem.EXPIRED


@pytest.mark.parametrize("now", [0.0, -1e9, NOW - YEAR])
def test_a_clock_in_the_past_locks_nobody_out(now: float) -> None:
    """Our authority signed what seems to begin in the future: it is the clock that is wrong."""
    assert isinstance(BOOK.judge(certificate(), 1000, "anna", now), Entry)


def test_an_unknown_device_is_told_from_a_revoked_one() -> None:
    """The one may be a lost registry, the other was on purpose."""
    assert BOOK.judge(certificate("d9"), 1000, "anna", NOW) is Problem.UNKNOWN
    revoked = BOOK.revoke("d1")
    assert revoked.judge(certificate(), 1000, "anna", NOW) is Problem.REVOKED
    assert revoked.judge_again("d1", 1000, "anna", NOW) is Problem.REVOKED
    assert isinstance(revoked.judge(certificate("d2"), 1001, "bert", NOW), Entry)


def test_another_serial_of_a_device_does_not_count() -> None:
    """Signed by us once, but it isn't the one in force."""
    assert BOOK.judge(certificate(serial="ff"), 1000, "anna", NOW) is Problem.REPLACED


def test_while_it_is_renewed_both_certificates_hold() -> None:
    """If the answer is lost on the way, the front end still has the old one."""
    book = BOOK.renew("d1", renewed())
    for serial in ("d101", "d102"):
        assert isinstance(book.judge(certificate(serial=serial), 1000, "anna", NOW), Entry)


def test_the_old_certificate_ends_when_the_new_one_is_used() -> None:
    """And not when the old one is used meanwhile."""
    book = BOOK.renew("d1", renewed())
    assert isinstance(book.seen("d1", "d101", NOW).judge(certificate(), 1000, "anna", NOW), Entry)
    used = book.seen("d1", "d102", NOW)
    assert used.judge(certificate(), 1000, "anna", NOW) is Problem.REPLACED
    assert isinstance(used.judge(certificate(serial="d102"), 1000, "anna", NOW), Entry)


def test_a_live_connection_survives_the_renewal_of_its_certificate() -> None:
    """It was judged by the old one, which is gone by now; its device stands."""
    used = BOOK.renew("d1", renewed()).seen("d1", "d102", NOW)
    assert isinstance(used.judge_again("d1", 1000, "anna", NOW + YEAR + 1), Entry)
    assert used.judge_again("d1", 1000, "anna", NOW + 2 * YEAR + 1) is Problem.EXPIRED


def test_a_renewal_that_was_never_used_gives_way_to_the_next() -> None:
    """The first answer was lost: its certificate is nobody's."""
    book = BOOK.renew("d1", renewed(serial="lost")).renew("d1", renewed())
    assert book.judge(certificate(serial="lost"), 1000, "anna", NOW) is Problem.REPLACED
    assert isinstance(book.judge(certificate(serial="d102"), 1000, "anna", NOW), Entry)
    assert isinstance(book.judge(certificate(), 1000, "anna", NOW), Entry)


def test_clients_see_the_later_end() -> None:
    """A renewed device expires with its newer certificate."""
    found = BOOK.renew("d1", renewed()).find("d1")
    assert found is not None
    assert found.wire().expires == NOW + 2 * YEAR


def test_use_is_noted_by_the_day() -> None:
    """It is no log: a second use on the same day changes nothing at all."""
    book = BOOK.seen("d1", "d101", NOW + 12345.6)
    found = book.find("d1")
    assert found is not None
    assert found.last_seen == NOW
    assert book.seen("d1", "d101", NOW + DAY - 1) is book
    assert book.seen("d1", "d101", NOW + DAY) != book


def test_changes_of_a_device_that_is_gone_change_nothing() -> None:
    """Changes are applied a moment after they were asked for."""
    for changed in (
        BOOK.seen("d9", "x", NOW),
        BOOK.renew("d9", renewed()),
        BOOK.rename("d9", "x"),
        BOOK.revoke("d9"),
    ):
        assert changed is BOOK


def test_a_device_is_renamed() -> None:
    """That one alone, and nothing else of it."""
    book = BOOK.rename("d1", "my window")
    assert book.devices == (msgspec.structs.replace(entry(), name="my window"), BOOK.devices[1])


def full(count: int, **about: Any) -> tuple[Entry, ...]:
    """So many devices, oldest first."""
    return tuple(entry(f"e{number}", created=NOW - 1000 + number, **about) for number in range(count))


def test_a_user_with_too_many_devices_loses_the_longest_unused() -> None:
    """By the day it was seen last, or by its making; other users' are untouched."""
    devices = full(MAX_PER_USER)
    stale = msgspec.structs.replace(devices[20], last_seen=NOW - 5 * DAY)
    old_but_used = msgspec.structs.replace(devices[0], last_seen=NOW)
    book = Registry("f", (BOOK.devices[1], old_but_used, *devices[1:20], stale, *devices[21:]))
    after = book.add(entry("new"), NOW)
    assert {each.id for each in book.devices} - {each.id for each in after.devices} == {stale.id}
    assert after.devices[-1].id == "new"
    assert len(after.devices) == MAX_PER_USER + 1


def test_all_users_together_have_a_limit_too() -> None:
    """Every device stands in every snapshot, which must fit a message."""
    devices = tuple(
        entry(f"e{number}", uid=2000 + number, user=f"u{number}", created=NOW - number) for number in range(MAX_DEVICES)
    )
    after = Registry("f", devices).add(entry("new"), NOW)
    assert len(after.devices) == MAX_DEVICES
    assert after.find(f"e{MAX_DEVICES - 1}") is None


def test_what_expired_long_ago_goes_first() -> None:
    """Before what is in use, and only where there is no room: the clock may be wrong."""
    gone, late = entry("gone", expires=NOW - 31 * DAY, last_seen=NOW), entry("late", expires=NOW - 29 * DAY)
    few = Registry("f", (gone, late)).add(entry("new"), NOW)
    assert [each.id for each in few.devices] == ["gone", "late", "new"]
    many = Registry("f", (*full(MAX_PER_USER - 2), late, gone)).add(entry("new"), NOW)
    assert {each.id for each in full(MAX_PER_USER - 2)} | {"late", "new"} == {each.id for each in many.devices}


def test_a_program_whose_pairing_was_ended_is_remembered() -> None:
    """Until it is paired again on purpose; for that user and program alone."""
    program = entry().program
    book = BOOK.revoke("d1")
    assert book.was_revoked(1000, "anna", program)
    assert not book.was_revoked(1001, "bert", program)
    assert not book.was_revoked(1000, "anna", "/opt/slopn/bin/slopn")
    assert not book.add(entry("d3"), NOW).was_revoked(1000, "anna", program)


def test_the_memory_of_revoked_devices_is_bounded() -> None:
    """The latest ones stay."""
    book = BOOK
    for number in range(1000):
        book = book.add(entry(f"e{number}", program=f"/{number}"), NOW).revoke(f"e{number}")
    assert len(book.revoked) <= 128
    assert book.was_revoked(1000, "anna", "/999")


@pytest.mark.parametrize("name", ["window", "a", "Annas Büro 2", "x" * MAX_NAME, "日本", "don't “panic”"])
def test_names_that_people_use_are_taken(name: str) -> None:
    """Any printable text of a sensible length."""
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "x" * (MAX_NAME + 1),
        " a",
        "a ",
        "a\nb",
        "a\x1b[31m",
        "a\u202eb",
        "a\u200bb",
        "a\x00",
        "u\u0308",
        "\u2028",
    ],
)
def test_names_that_deceive_are_refused(name: str) -> None:
    """What a terminal obeys, what turns text around, what can't be seen: refused in a sentence."""
    problem = name_problem(name)
    assert problem is not None
    assert problem.endswith(".")


USERS = st.sampled_from([(0, "root"), (1000, "anna"), (1000, "carl"), (1001, "bert")])
NAMES = st.sampled_from(["d1", "d2", "d3"])
TIMES = st.floats(NOW - 2 * YEAR, NOW + 4 * YEAR)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Registry, dict[str, tuple[int, str]], dict[str, set[str]]]:
    """A registry after any history, the owners of its devices, and each device's serials that may still count."""
    book = Registry("f")
    owners: dict[str, tuple[int, str]] = {}
    valid: dict[str, set[str]] = {}
    for number in range(draw(st.integers(0, 12))):
        device = draw(NAMES)
        match draw(st.sampled_from(["add", "renew", "use old", "use new", "revoke", "rename"])):
            case "add" if device not in owners:
                uid, user = draw(USERS)
                serial = f"{device}-{number}"
                book = book.add(entry(device, uid=uid, user=user, serial=serial), NOW)
                owners[device], valid[device] = (uid, user), {serial}
            case "renew" if device in valid:
                found = book.find(device)
                assert found is not None
                serial = f"{device}-{number}"
                book = book.renew(device, renewed(serial))
                valid[device] = {found.serial, serial}
            case "use old" | "use new" as which if device in valid:
                found = book.find(device)
                assert found is not None
                used = found.renewed_serial if which == "use new" and found.renewed_serial else found.serial
                book = book.seen(device, used, NOW)
                valid[device] = {used} if used == found.renewed_serial else valid[device]
            case "revoke":
                book = book.revoke(device)
                valid.pop(device, None)
            case "rename":
                book = book.rename(device, f"name {number}")
            case _:
                pass
    return book, owners, valid


@given(histories(), USERS, NAMES, st.integers(0, 12), TIMES, TIMES, TIMES)
def test_nobody_gets_a_right_by_anothers_certificate(
    history: tuple[Registry, dict[str, tuple[int, str]], dict[str, set[str]]],
    who: tuple[int, str],
    device: str,
    number: int,
    begins: float,
    ends: float,
    now: float,
) -> None:
    """After any history and for any certificate: it counts exactly for its owner, while it holds and hasn't expired."""
    book, owners, valid = history
    serial = f"{device}-{number}"
    verdict = book.judge(ClientCertificate(serial, device, begins, ends), *who, now)
    counts = owners.get(device) == who and serial in valid.get(device, set()) and now <= ends
    assert isinstance(verdict, Entry) == counts
    if isinstance(verdict, Entry):
        assert (verdict.id, verdict.uid, verdict.user) == (device, *who)
