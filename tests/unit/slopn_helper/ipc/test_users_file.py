from __future__ import annotations

from pathlib import Path

import pytest

from slopn_helper.ipc.users import FILE, AllowedUsers
from slopn_helper.store import StoreError
from slopn_wire.devices import UserBasis
from support.accounts import BOB, EVE, FakeAccounts


@pytest.fixture
def accounts() -> FakeAccounts:
    """The user database."""
    return FakeAccounts()


@pytest.fixture
def users(tmp_path: Path, accounts: FakeAccounts) -> AllowedUsers:
    """Nobody added yet."""
    return AllowedUsers(tmp_path, accounts, local_user=True)


def basis(users: AllowedUsers, uid: int) -> UserBasis | None:
    """Why a process of `uid` may."""
    return users.basis(uid, uid, ())


def test_added_users_survive_a_restart(users: AllowedUsers, accounts: FakeAccounts, tmp_path: Path) -> None:
    """The list stands in the state directory, for root alone."""
    users.add("eve")
    users.add("bob")
    again = AllowedUsers(tmp_path, accounts, local_user=False)
    assert [basis(again, uid) for uid in (BOB, EVE)] == [UserBasis.ADDED] * 2
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert again.warnings == ()


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1, "content": {"users": [{"uid": "0"}]}}', b"\xff" * 100])
def test_a_damaged_list_lets_nobody_in(
    users: AllowedUsers, accounts: FakeAccounts, tmp_path: Path, content: bytes
) -> None:
    """It is set aside with a warning that says what to do, and the next list stands in its place."""
    users.add("bob")
    (tmp_path / FILE).write_bytes(content)
    again = AllowedUsers(tmp_path, accounts, local_user=True)
    assert basis(again, BOB) is None
    (warning,) = again.warnings
    assert warning.code == "users_damaged"
    assert f"{FILE}.corrupt-1" in warning.text
    assert (tmp_path / f"{FILE}.corrupt-1").read_bytes() == content
    again.add("eve")
    assert AllowedUsers(tmp_path, accounts, local_user=True).warnings == ()


def test_a_newer_list_is_not_touched(accounts: FakeAccounts, tmp_path: Path) -> None:
    """After a downgrade the helper says so instead of forgetting who may."""
    text = '{"version": 999, "content": {}}'
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StoreError, match="newer"):
        AllowedUsers(tmp_path, accounts, local_user=True)
    assert (tmp_path / FILE).read_text() == text


def test_a_list_that_cannot_be_written_adds_nobody(
    users: AllowedUsers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who isn't on disk isn't let in: after a restart it would be another answer."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("slopn_helper.ipc.users.write_file", full)
    with pytest.raises(StoreError, match="No space left"):
        users.add("bob")
    assert basis(users, BOB) is None
    assert not (tmp_path / FILE).exists()
