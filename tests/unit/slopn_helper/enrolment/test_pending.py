"""Keys that no profile has yet."""

from __future__ import annotations

from pathlib import Path

from slopn_helper.enrolment.pending import KEPT, MOST, Pending, of_rotation, of_token

TOKEN = bytes(range(32))


def test_a_key_is_on_the_disk_before_it_is_used(tmp_path: Path) -> None:
    """Whoever comes after a kill finds the same; each purpose has its own, and nothing shows the token."""
    key = Pending(tmp_path / "pending").key(of_token(TOKEN))
    assert Pending(tmp_path / "pending").key(of_token(TOKEN)) == key
    assert Pending(tmp_path / "pending").known(of_rotation("d")) is None
    assert Pending(tmp_path / "pending").key(of_rotation("d")) != key
    kept = "".join(path.name + path.read_text() for path in (tmp_path / "pending").iterdir())
    assert TOKEN.hex() not in kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "pending").iterdir())


def test_a_key_is_forgotten(tmp_path: Path) -> None:
    """The next one is another; forgetting what isn't there is nothing."""
    pending = Pending(tmp_path / "pending")
    key = pending.key(of_token(TOKEN))
    pending.forget(of_token(TOKEN))
    pending.forget(of_token(TOKEN))
    assert not list((tmp_path / "pending").glob("*.json"))
    assert pending.key(of_token(TOKEN)) != key


def test_old_keys_and_too_many_go(tmp_path: Path) -> None:
    """A folder of keys that came to nothing doesn't grow."""
    now = [0.0]
    pending = Pending(tmp_path / "pending", clock=lambda: now[0])
    first = pending.key("00")
    now[0] = next((tmp_path / "pending").glob("*.json")).stat().st_mtime + KEPT - 1
    assert pending.known("00") == first
    now[0] += 2
    assert pending.known("00") is None
    now[0] = 0.0
    for number in range(MOST + 5):
        pending.key(f"{number:02}")
    assert len(list((tmp_path / "pending").glob("*.json"))) <= MOST + 1


def test_a_damaged_key_is_replaced(tmp_path: Path) -> None:
    """The link works all the same."""
    pending = Pending(tmp_path / "pending")
    key = pending.key(of_token(TOKEN))
    next((tmp_path / "pending").glob("*.json")).write_text("{")
    assert pending.key(of_token(TOKEN)) != key
