from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from slopn_app.credentials.store import FILE, KEYRING, MOST_AUTHORITIES, Held, Lost, Store
from slopn_app.credentials.vault import Locked, Unavailable
from support.vault import FakeVault, host_with

TIMEOUT = 20.0
ENDPOINT = "/run/slopn/helper.sock"
A, B = "a" * 64, "b" * 64


def held(key: str = "k1", place: str = FILE, **changes: float) -> Held:
    """A certificate that holds from 1000 to 4000."""
    return Held("d1", "PEM", key, place, **{"not_before": 1000.0, "not_after": 4000.0, **changes})


def store(vault: FakeVault | None = None, front_end: str = "cli") -> Store:
    """The command line's, in the test's home."""
    return Store(front_end, host_with(vault))


def put(kept: Store, authority: str, each: Held) -> None:
    """Key and record."""
    kept.put_key(authority, each.key, "label", "secret", each.place)
    kept.write(authority, ENDPOINT, [each])


def test_what_is_written_is_read() -> None:
    """By another program of the same front end, and by no other front end."""
    put(store(), A, held())
    (read,) = store().read(A)
    assert vars(read) == vars(held())
    assert store().key(A, read) == "secret"
    assert store().read(B) == []
    assert store(front_end="tray").read(A) == []


def test_nothing_is_there_at_first(home: Path) -> None:
    """Reading makes nothing."""
    assert store().read(A) == []
    assert not store().elsewhere(ENDPOINT, A)
    store().used(A, time.time())
    assert list(home.iterdir()) == []


def test_a_key_in_the_keyring_is_nowhere_else(home: Path) -> None:
    """And its name there says whose it is."""
    vault = FakeVault()
    put(store(vault), A, held(place=KEYRING))
    assert vault.secrets == {f"{A}/cli/k1": "secret"}
    assert store(vault).key(A, held(place=KEYRING)) == "secret"
    assert not any(b"secret" in path.read_bytes() for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize("failure", [Locked(), Unavailable("gone")])
def test_a_keyring_that_fails_is_told(failure: Exception) -> None:
    """Locked and gone call for different things."""
    with pytest.raises(type(failure)):
        store(FakeVault(failure)).key(A, held(place=KEYRING))
    with pytest.raises(type(failure)):
        store(FakeVault(failure)).put_key(A, "k", "label", "secret", KEYRING)


def test_a_key_that_is_gone_is_lost() -> None:
    """So is one that others could have read."""
    with pytest.raises(Lost):
        store(FakeVault()).key(A, held(place=KEYRING))
    with pytest.raises(Lost):
        store().key(A, held())
    put(store(), A, held())
    Path(store().file(A, "k1")).chmod(0o644)
    with pytest.raises(Lost):
        store().key(A, held())


def test_writing_forgets_what_is_not_held_any_more() -> None:
    """Keys and all; what is still held stays."""
    vault = FakeVault()
    kept = store(vault)
    put(kept, A, held("k1"))
    kept.put_key(A, "k2", "label", "second", KEYRING)
    kept.write(A, ENDPOINT, [held("k2", KEYRING), held("k1")])
    assert [each.key for each in kept.read(A)] == ["k2", "k1"]
    assert kept.key(A, held("k1")) == "secret"
    kept.write(A, ENDPOINT, [held("k2", KEYRING)])
    assert not Path(kept.file(A, "k1")).exists()
    kept.write(A, ENDPOINT, [])
    assert vault.secrets == {}


def test_a_key_that_cannot_be_forgotten_is_left() -> None:
    """The keyring is locked just now: without its certificate the key is of no use."""
    vault = FakeVault()
    kept = store(vault)
    put(kept, A, held(place=KEYRING))
    vault.failure = Locked()
    kept.write(A, ENDPOINT, [])
    kept.drop_key(A, "k1", FILE)
    assert kept.read(A) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"version":2,"endpoint":"x","held":[]}',
        '{"version":1,"endpoint":3,"held":[]}',
        '{"version":1,"endpoint":"x","held":[{}]}',
        '{"version":1,"endpoint":"x","held":[{"device":"d"}]}',
        '{"version":1,"endpoint":"x","held":5}',
        "\xff",
    ],
)
def test_a_damaged_record_is_none(home: Path, text: str) -> None:
    """It is written anew by the next pairing."""
    put(store(), A, held())
    record = home / f"slopn/credentials/{A}/cli.json"
    assert json.loads(record.read_text())["held"]
    record.write_bytes(text.encode("latin-1"))
    assert store().read(A) == []
    put(store(), A, held("k2"))
    assert [each.key for each in store().read(A)] == ["k2"]


def test_another_helper_at_the_same_endpoint_is_noticed() -> None:
    """By this front end's own records."""
    put(store(), A, held())
    assert store().elsewhere(ENDPOINT, B)
    assert not store().elsewhere(ENDPOINT, A)
    assert not store().elsewhere("/other", B)
    assert not store(front_end="tray").elsewhere(ENDPOINT, B)


def test_only_so_many_helpers_are_remembered(home: Path) -> None:
    """The one unused for longest goes first, with the keys of all its front ends; a test's helpers don't pile up."""
    vault = FakeVault()
    folder = home / "slopn/credentials"
    for number in range(MOST_AUTHORITIES):
        put(store(vault), f"{number:064d}", held())
        os.utime(folder / f"{number:064d}", (1000.0 + number, 1000.0 + number))
    put(store(vault, "tray"), f"{0:064d}", held(place=KEYRING))
    os.utime(folder / f"{0:064d}", (1.0, 1.0))
    store(vault).used(f"{1:064d}", time.time())
    put(store(vault), A, held())
    put(store(vault), B, held())
    left = {path.name for path in folder.iterdir() if path.is_dir()}
    assert len(left) == MOST_AUTHORITIES
    assert {f"{0:064d}", f"{2:064d}"}.isdisjoint(left)
    assert {f"{1:064d}", A, B} <= left
    assert vault.secrets == {}


def test_use_is_noted_by_the_day(home: Path) -> None:
    """Not at each `slopn status`."""
    put(store(), A, held())
    folder = home / f"slopn/credentials/{A}"
    now = time.time()
    os.utime(folder, (now - 3600, now - 3600))
    store().used(A, now)
    assert folder.stat().st_mtime < now - 3500
    os.utime(folder, (1000.0, 1000.0))
    store().used(A, now)
    assert folder.stat().st_mtime >= now - 1


def test_one_at_a_time() -> None:
    """Each front end for itself."""
    with store().lock(0), store(front_end="tray").lock(0), pytest.raises(TimeoutError), store().lock(0):
        pass


@pytest.mark.parametrize(
    ("now", "due"), [(0.0, False), (999.0, False), (2900.0, False), (3100.0, True), (4000.0, True), (9000.0, True)]
)
def test_renewal_is_due_in_the_last_third(now: float, due: bool) -> None:
    """Never by a clock that went back before the certificate was made."""
    assert held().due(now) is due
