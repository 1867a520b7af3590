from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from slopn_helper.secrets import SecretError
from slopn_helper.store import Loaded, Store, StoreError, Wish
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import TargetState
from support.stored import stored_profile, stored_secrets


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the state is kept."""
    return tmp_path / "state"


@pytest.fixture
def store(directory: Path) -> Store:
    """A store of this user's, loaded once."""
    store = fresh(directory)
    store.load()
    return store


def fresh(directory: Path) -> Store:
    """The store as the next helper finds it."""
    return Store(directory, os.getuid())


def only(directory: Path, pattern: str) -> Path:
    """The one file that matches."""
    (path,) = directory.glob(pattern)
    return path


def codes(loaded: Loaded) -> list[str]:
    """What was reported."""
    return [warning.code for warning in loaded.warnings]


@pytest.mark.parametrize("content", [b"", b"{", b'{"version":1,"content":{}}'])
def test_a_damaged_profile_is_set_aside(directory: Path, store: Store, content: bytes) -> None:
    """The others load, the file is kept for whoever can mend it, its keys as well, and it is reported once."""
    store.save_profile(stored_profile("home", 1), stored_secrets(1))
    store.save_profile(stored_profile("work", 2), stored_secrets(2))
    path = only(directory, "profiles/home-*.json")
    good = path.read_bytes()
    path.write_bytes(content)
    loaded = fresh(directory).load()
    assert loaded.profiles == (stored_profile("work", 2),)
    assert codes(loaded) == ["profile_damaged"]
    aside = only(directory, "profiles/home-*.json.corrupt-1")
    assert aside.name in loaded.warnings[0].text
    assert aside.read_bytes() == content
    assert codes(fresh(directory).load()) == []
    path.write_bytes(good)
    assert fresh(directory).load().profiles == (stored_profile("home", 1), stored_profile("work", 2))
    assert fresh(directory).secrets("home") == stored_secrets(1)


def test_damage_after_damage_keeps_both(directory: Path, store: Store) -> None:
    """A second damaged file of the same name doesn't replace the first."""
    for _ in range(2):
        store.save_profile(stored_profile("home"), stored_secrets())
        only(directory, "profiles/home-*.json").write_bytes(b"x")
        assert codes(store.load()) == ["profile_damaged"]
    assert len(list(directory.glob("profiles/*.corrupt-[12]"))) == 2
    store.remove_profile("home")
    assert list(directory.glob("profiles/*")) == list(directory.glob("secrets/*")) == []


def test_a_profile_under_another_name_is_set_aside(directory: Path, store: Store) -> None:
    """A copied file would give two profiles the same name and keys."""
    store.save_profile(stored_profile("home"), stored_secrets())
    path = only(directory, "profiles/home-*.json")
    path.with_name("copy.json").write_bytes(path.read_bytes())
    loaded = store.load()
    assert (loaded.profiles, codes(loaded)) == ((stored_profile("home"),), ["profile_damaged"])


def test_damaged_settings_close(directory: Path, store: Store) -> None:
    """Since ALWAYS may have been set, ALWAYS it is until somebody says otherwise, also at the start after this one."""
    store.save_settings(Settings(kill_switch=KillSwitchMode.OFF))
    (directory / "settings.json").write_bytes(b"{")
    loaded = fresh(directory).load()
    assert (loaded.settings.kill_switch, codes(loaded)) == (KillSwitchMode.ALWAYS, ["settings_damaged"])
    assert (directory / "settings.json.corrupt-1").read_bytes() == b"{"
    assert fresh(directory).load() == Loaded((), Settings(kill_switch=KillSwitchMode.ALWAYS), Wish(), ())


def test_a_damaged_wish_closes(directory: Path, store: Store) -> None:
    """Since a tunnel may have been wanted, it counts as wanted, without a profile, also at the start after this one."""
    store.save_wish(Wish(TargetState.UNSECURED, "home"))
    (directory / "wish.json").write_bytes(b"\0\0")
    loaded = fresh(directory).load()
    assert (loaded.wish, codes(loaded)) == (Wish(TargetState.SECURED, None), ["wish_damaged"])
    assert fresh(directory).load() == Loaded((), Settings(), Wish(TargetState.SECURED, None), ())


@pytest.mark.parametrize("pattern", ["settings.json", "wish.json", "profiles/*.json"])
def test_a_newer_format_is_left_alone(directory: Path, store: Store, pattern: str) -> None:
    """After a downgrade nothing is guessed and nothing touched: the start is refused with a sentence."""
    store.save_profile(stored_profile("home"), stored_secrets())
    store.save_settings(Settings())
    store.save_wish(Wish())
    path = only(directory, pattern)
    newer = path.read_bytes().replace(b'"version": 1', b'"version": 2')
    path.write_bytes(newer)
    with pytest.raises(StoreError, match=re.escape(f"{path} was written by a newer SloPN (format 2")):
        fresh(directory).load()
    assert path.read_bytes() == newer


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (None, None),
        (b"\0", None),
        (b'{"version":9,"content":{}}', None),
        (b'{"version":1,"content":{"target":"secured","profile":"home"}}', "home"),
    ],
)
def test_nothing_can_be_wanted_whatever_is_there(directory: Path, content: bytes | None, kept: str | None) -> None:
    """A restore opens the host also when the wish is damaged, from the future, or keys lie open."""
    store = fresh(directory)
    if content is not None:
        store.load()
        (directory / "wish.json").write_bytes(content)
        (directory / "secrets").chmod(0o755)
    store.want_nothing()
    assert b'"unsecured"' in (directory / "wish.json").read_bytes()
    if content is not None:
        (directory / "secrets").chmod(0o700)
    assert store.load().wish == Wish(TargetState.UNSECURED, kept)


@pytest.mark.parametrize("damage", ["gone", "damaged", "open"])
def test_a_profile_without_its_keys_is_reported(directory: Path, store: Store, damage: str) -> None:
    """It stays in the list, with a warning that says what to do, and has no keys to give."""
    store.save_profile(stored_profile("home"), stored_secrets())
    path = only(directory, "secrets/*.json")
    if damage == "gone":
        path.unlink()
    elif damage == "damaged":
        path.write_bytes(b"{")
    else:
        path.chmod(0o644)
    loaded = store.load()
    assert (loaded.profiles, codes(loaded)) == ((stored_profile("home"),), ["profile_without_keys"])
    with pytest.raises(SecretError):
        store.secrets("home")


def test_orphaned_keys_are_swept(directory: Path, store: Store) -> None:
    """Keys to which no profile refers, as a crash leaves them, don't stay."""
    store.save_profile(stored_profile("home"), stored_secrets())
    path = only(directory, "secrets/*.json")
    for name in ("home-0123.4567.json", path.name.replace(".", ".0", 1)):
        path.with_name(name).write_bytes(path.read_bytes())
        path.with_name(name).chmod(0o600)
    assert store.load().profiles == (stored_profile("home"),)
    assert [each.name for each in (directory / "secrets").iterdir()] == [path.name]


def test_keys_that_others_could_read_stop_the_start(directory: Path, store: Store) -> None:
    """A directory of keys that is open to others is not used."""
    store.save_profile(stored_profile("home"), stored_secrets())
    (directory / "secrets").chmod(0o755)
    with pytest.raises(SecretError, match="has mode 0755"):
        fresh(directory).load()


def test_a_full_disk_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be written is refused with a sentence, and the old state stays."""
    store.save_profile(stored_profile("home", 1), stored_secrets(1))
    before = store.load()

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            store.save_settings(Settings(allow_lan=True))
        with pytest.raises(StoreError, match="No space left"):
            store.save_wish(Wish(TargetState.SECURED))
        with pytest.raises(SecretError, match="No space left"):
            store.save_profile(stored_profile("home", 2), stored_secrets(2))
    assert store.load() == before
    assert store.secrets("home") == stored_secrets(1)


def test_a_failed_last_sync_leaves_a_profile_with_its_keys(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the rename went through and the sync after it fails, the profile on disk still finds its keys."""
    store.save_profile(stored_profile("home", 1), stored_secrets(1))
    fsync, left = os.fsync, iter(range(3))

    def fail_fourth(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(5, os.strerror(5))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_fourth)
        with pytest.raises(StoreError, match="Input/output error"):
            store.save_profile(stored_profile("home", 2), stored_secrets(2))
    loaded = store.load()
    assert (loaded.profiles, loaded.warnings) == ((stored_profile("home", 2),), ())
    assert store.secrets("home") == stored_secrets(2)
