"""A short sample of `make load`: that nothing is lost, and that the measuring works; not how fast anything is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from load import enrolments, figures, hostile_user, usage
from load.attacks import Attacked, Battlefield, Honest, lines
from load.figures import Figure
from load.following import Read, compare
from load.restarts import restart
from load.roundtrip import commands_over, opened, stages, timed, users
from load.status_stages import STAGES
from load.watching import watch
from support.helper_process import BIN

pytestmark = pytest.mark.root


def test_watchers_miss_nothing() -> None:
    """Each of many clients sees each event, whoever else reads."""
    found = watch(clients=20, rate=500, seconds=2.0)
    assert found.told == 1000
    assert found.gaps == []
    assert found.complete == 20
    assert len(found.delays) == found.told
    assert found.sampler.cpu > 0


def test_views_are_the_truth_after_each_restart() -> None:
    """The helper is killed in the middle of commands; `restart` ends only once all views equal its snapshot."""
    assert len(restart(rounds=2, clients=5)) == 2


def test_a_reader_of_the_log_gets_every_number() -> None:
    """At debug level, while the tunnel is full; both kinds of runs carry traffic."""
    found = compare(rounds=1, seconds=1.0)
    assert [read.whole for read in found.read] == [True], found.read
    assert [len(found.without), len(found.reading)] == [1, 1]
    assert all(result.gigabytes > 0 for result in (*found.without, *found.reading))


def test_commands_and_status() -> None:
    """Each is answered as it should be, with the key in a file and in a keyring; each stage takes time."""
    with opened() as (helper, folder):
        found = commands_over(str(helper.socket), 20)
        assert {len(seconds) for seconds in found.values()} == {20}
        assert len(found) == 4
        for place, person in users(helper, folder):
            keys = list(person.home.glob("state/slopn/credentials/*/*.key"))
            assert bool(keys) == (place == "a file")
            assert len(timed(person, 1, str(BIN / "slopn"), "status")) == 1
            (clocked,) = stages(person, 1)
            assert all(clocked[stage] > 0 for stage in STAGES), clocked


def test_enrolments_and_twice_as_many() -> None:
    """All are enrolled; pressed, nobody hears anything but yes, later, or nothing."""
    with enrolments.server() as (to, pid):
        loaded = enrolments.sustained(to, pid, 1.0, 5)
        assert set(loaded.answers.statuses) == {200}
        assert loaded.answers.cut == 0
        assert loaded.answers.enrolled > 0
        pressed = enrolments.pressed(to, pid, 1.0, 300.0)
        assert set(pressed.answers.statuses) <= {200, 429, 503}
        assert pressed.answers.enrolled > 0


@pytest.fixture(scope="module")
def field() -> Iterator[Battlefield]:
    """One for all attacks."""
    with Battlefield() as entered:
        yield entered


@pytest.mark.parametrize("name", ["handshakes_that_never_end", "a_flood_of_commands"])
def test_honest_users_are_served_meanwhile(field: Battlefield, name: str) -> None:
    """None of their commands fails, and the helper lives."""
    found = field.endure(name, seconds=0.5, hostile=1, fresh=False)
    assert [honest.problems for honest in found.honest] == [[], []]
    assert all(honest.standing and honest.fresh for honest in found.honest)


def test_the_attacks_that_the_targets_name_are_there() -> None:
    """Connections, handshakes, commands and slowness: `make load` tries all of the table."""
    assert {
        "ten_thousand_connections",
        "handshakes_one_after_the_other",
        "a_flood_of_commands",
        "a_byte_at_a_time",
    } <= hostile_user.ATTACKS.keys()


def test_quantiles() -> None:
    """By nearest rank: a value that was measured, never one in between."""
    values = [float(number) for number in range(100, 0, -1)]
    assert [figures.quantile(values, part) for part in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]
    with pytest.raises(ValueError, match="nothing"):
        figures.quantile([], 0.5)


def test_growth_is_told_from_filling_up() -> None:
    """What was gained before everything had its size doesn't count, nor does a single high value."""
    filled = [usage.Sample(float(at), min(at, 10) * 100) for at in range(60)]
    assert usage.growth(filled, 10.0) == 0
    assert usage.growth([*filled, usage.Sample(60.0, 9999)], 10.0) == 0
    growing = [usage.Sample(float(at), at * 100) for at in range(60)]
    assert usage.growth(growing, 10.0) == 4000


def test_a_log_with_a_hole_is_seen() -> None:
    """A number that is missing, repeated, told to be lost, or not there yet."""
    assert Read([3, 4, 5], 0, 5).whole
    assert Read([3, 4, 5, 6], 0, 5).whole
    for numbers, missed in (([3, 5], 0), ([3, 4, 4, 5], 0), ([3, 4, 5], 1), ([3, 4], 0), ([], 0)):
        assert not Read(numbers, missed, 5).whole


def test_the_table_says_what_was_missed() -> None:
    """A figure without a target has no verdict."""
    lines = figures.table(
        [Figure("a", "b", "1", "2", met=False), Figure("a", "c", "3"), Figure("a", "d", "4", "5", met=True)]
    )
    assert lines.splitlines()[2:] == ["| a: b | 1 | 2 | **missed** |", "| a: c | 3 | – |  |", "| a: d | 4 | 5 | met |"]


def test_an_attack_is_judged_by_time_and_memory() -> None:
    """Two lines for people, one for memory."""
    good = Honest("root", [0.01] * 99, [0.1] * 99, [])
    slow = Honest("alice", [0.01] * 99, [0.3] * 99, [])
    failed = Honest("alice", [0.01], [0.01], ["unreachable"])
    assert [each.met for each in lines(Attacked("x", [good, slow], 1, 0.1))] == [True, False, True]
    assert [each.met for each in lines(Attacked("x", [good, failed], 20_000_000, 0.1))] == [True, False, False]
