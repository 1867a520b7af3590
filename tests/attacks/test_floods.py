"""More than the helper can take: what one user does is charged to that user alone, and costs little memory."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from attacks.field import MOST, Field
from attacks.hostility import ATTACKS
from attacks.people import PYTHON
from slopn_wire.commands import GetUsers
from slopn_wire.events import Users

TESTS = Path(__file__).resolve().parents[1]
LEGION = Path(__file__).with_name("legion.py")
PATIENCE = 120.0


def endure(field: Field, attack: str) -> None:
    """Be attacked by a process of another user, which is paired with every right; root is served all the time."""
    mallory = field.user()
    chain = field.chain(field.pair(mallory))
    for _ in range(5):
        assert isinstance(field.ask_root(GetUsers()), Users)
    field.begin()
    argv = [sys.executable, "-m", "attacks.hostility", attack, str(field.helper.socket), str(chain), str(mallory.uid)]
    with subprocess.Popen(argv, cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        out = process.stdout
        worst = threading.Event()

        def listen() -> None:
            if out.readline() == "done\n":
                worst.set()

        listening = threading.Thread(target=listen)
        listening.start()
        with field.root() as standing:
            while not worst.is_set():
                assert process.poll() is None
                assert isinstance(standing.ask(GetUsers()), Users)
                assert isinstance(field.ask_root(GetUsers()), Users)
            for _ in range(20):
                assert isinstance(standing.ask(GetUsers()), Users)
        process.stdin.close()
        process.wait(PATIENCE)
        listening.join(PATIENCE)
    assert field.cost() < MOST


def test_ten_thousand_connections(fresh_field: Field) -> None:
    """Ten thousand connections are opened and kept.

    A user has 32 at a time, of which 8 may be in their handshake; the others are closed at once.
    """
    endure(fresh_field, "ten_thousand_connections")


def test_connections_that_end_at_once(fresh_field: Field) -> None:
    """Thousands of connections are opened and closed as fast as that goes.

    A user may connect 60 times at once, then 20 times a second; others are taken in turns with that.
    """
    endure(fresh_field, "connections_that_end_at_once")


def test_handshakes_that_never_end(fresh_field: Field) -> None:
    """A thousand handshakes are begun and left.

    Eight at a time, five seconds each.
    """
    endure(fresh_field, "handshakes_that_never_end")


def test_handshakes_one_after_the_other(fresh_field: Field) -> None:
    """Complete handshakes, each with a certificate to verify, one after the other.

    They count as connections, which a user has 20 of a second.
    """
    endure(fresh_field, "handshakes_one_after_the_other")


def test_halves_of_large_requests(fresh_field: Field) -> None:
    """Almost a megabyte of a request, on as many connections as there may be.

    All requests of a user that aren't complete have two megabytes together.
    """
    endure(fresh_field, "halves_of_large_requests")


def test_large_requests(fresh_field: Field) -> None:
    """Requests of a megabyte, of letters that take four times their room in memory.

    They are read one after the other, and a user has two megabytes.
    """
    endure(fresh_field, "large_requests")


def test_deep_json(fresh_field: Field) -> None:
    """A megabyte of brackets, from one connection after the other.

    The parser gives up at once, and the connection ends.
    """
    endure(fresh_field, "deep_json")


def test_answers_that_nobody_reads(fresh_field: Field) -> None:
    """The whole log is asked for on every connection, and not read.

    A user has two large answers at a time; who doesn't read one is cut off.
    """
    endure(fresh_field, "answers_that_nobody_reads")


def test_watchers_that_never_read(fresh_field: Field) -> None:
    """Events and log are followed on every connection, and not read.

    All readers share one ring: who doesn't read is no more than a place in it, and is cut off.
    """
    endure(fresh_field, "watchers_that_never_read")


def test_a_flood_of_commands(fresh_field: Field) -> None:
    """Commands as fast as they can be sent, each under a key of its own.

    A front end has 50 a second, and the last 64 answers are remembered.
    """
    endure(fresh_field, "a_flood_of_commands")


def test_compressed_bombs(fresh_field: Field) -> None:
    """A recording to be replayed that unpacks to two hundred megabytes.

    Unpacked to a megabyte at most.
    """
    endure(fresh_field, "compressed_bombs")


def test_longest_replays(fresh_field: Field) -> None:
    """Recordings whose replays make answers as long as there may be, which nobody reads.

    Replays are made one at a time, and a user's one after the other is read; none is above three megabytes.
    """
    endure(fresh_field, "longest_replays")


def test_diagnoses(fresh_field: Field) -> None:
    """The whole computer is to be diagnosed again and again, for nobody.

    Such look-ups have a rate of their own, four a second, and a user two at a time.
    """
    endure(fresh_field, "diagnoses")


def test_pairings(fresh_field: Field) -> None:
    """Programs without a certificate ask to be paired, on as many connections as there may be.

    Four of a user may wait.
    """
    endure(fresh_field, "pairings")


def test_watches(fresh_field: Field) -> None:
    """Each connection begins to watch anew again and again.

    A watch replaces the one before it.
    """
    endure(fresh_field, "watches")


def test_costly_filters(fresh_field: Field) -> None:
    """The log is searched for long text that isn't there, by as many readers as there may be.

    A search gives way to others after each two thousand lines; look-ups have a rate.
    """
    endure(fresh_field, "costly_filters")


def test_a_log_of_quotes(fresh_field: Field) -> None:
    """The log is filled with lines that take twice their room on the wire, then asked for and not read.

    What a line takes there counts in the ring; an answer is in memory once, and not after its client is gone.
    """
    endure(fresh_field, "a_log_of_quotes")


def test_long_names(fresh_field: Field) -> None:
    """Profiles with names of a megabyte, of characters that a log must escape.

    A log line escapes no more than it shows.
    """
    endure(fresh_field, "long_names")


def test_refusals_to_remember(fresh_field: Field) -> None:
    """Refused requests whose answers, kept for a retry, would each quote a megabyte.

    A file's name is cut in messages.
    """
    endure(fresh_field, "refusals_to_remember")


def test_thousands_of_networks(fresh_field: Field) -> None:
    """Profile after profile with ten thousand networks each.

    All profiles together have ten thousand.
    """
    endure(fresh_field, "thousands_of_networks")


def test_bloated_files(fresh_field: Field) -> None:
    """Files of a megabyte: of sections, of resolvers, of empty lines.

    A profile's file has 256 kilobytes, and parsing ends at its first defect.
    """
    endure(fresh_field, "bloated_files")


def test_many_profiles(fresh_field: Field) -> None:
    """As many profiles as are taken, each of which is told to everybody in a list of all.

    All profiles together have a megabyte; events that have left the ring are let go.
    """
    endure(fresh_field, "many_profiles")


def test_a_legion(fresh_field: Field) -> None:
    """Somebody has as many uids as they like (a user namespace), and connects under five hundred of them.

    All who may not use SloPN are limited as one; to look a number up takes nobody's time but that of strangers.
    """
    argv = [str(PYTHON), "-I", "-S", str(LEGION), "700000", "700500", str(fresh_field.helper.socket)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        fresh_field.user()
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        fresh_field.pair(fresh_field.user())
        process.communicate(timeout=PATIENCE)
    assert fresh_field.refusals(700_000)
    assert len([line for line in fresh_field.said().splitlines() if "why=user_not_allowed" in line]) < 200


def test_each_attack_is_here() -> None:
    """The programs of `support.hostile` and `attacks.hostility` are all tried."""
    # Other tests of the same run may have registered attacks of their own.
    here = {name for name, made in ATTACKS.items() if made.__module__ in {"support.hostile", "attacks.hostility"}}
    assert {name for name in here if f"test_{name}" not in globals()} == set()
