from __future__ import annotations

import base64
import os
import re
from ipaddress import ip_interface
from pathlib import Path

import msgspec
import pytest

from slopn_helper.secrets import ProfileSecrets, Secret, SecretError
from slopn_helper.store import Loaded, Store, StoreError, Wish
from slopn_wire.profile import Peer, Profile
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import TargetState


def profile(name: str, number: int = 1) -> Profile:
    """A profile that can be told from those of other numbers."""
    key = base64.b64encode(bytes([number] * 32)).decode()
    return Profile(name=name, addresses=(ip_interface(f"10.0.0.{number}/32"),), peers=(Peer(public_key=key),))


def secrets(number: int = 1) -> ProfileSecrets:
    """The keys of the profile with this number."""
    return ProfileSecrets(Secret(bytes([number + 100] * 32)))


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


def test_a_first_start_finds_defaults(directory: Path) -> None:
    """Without a state directory there is no profile, nothing is wanted, and the directory is made for its owner alone."""
    assert fresh(directory).load() == Loaded((), Settings(), Wish(), ())
    assert directory.stat().st_mode & 0o777 == 0o700


def test_everything_survives(directory: Path, store: Store) -> None:
    """Profiles in the order of their names, settings, wish and keys are as they were saved."""
    settings = Settings(kill_switch=KillSwitchMode.ALWAYS, allow_lan=True)
    wish = Wish(TargetState.SECURED, "work")
    for name, number in (("work", 2), ("home", 1)):
        store.save_profile(profile(name, number), secrets(number))
    store.save_settings(settings)
    store.save_wish(wish)
    again = fresh(directory)
    assert again.load() == Loaded((profile("home", 1), profile("work", 2)), settings, wish, ())
    assert again.secrets("work") == secrets(2)


def test_a_profile_is_replaced_with_its_keys(directory: Path, store: Store) -> None:
    """The new profile has the new keys, and the old ones are gone from the disk."""
    store.save_profile(profile("home", 1), secrets(1))
    store.save_profile(profile("home", 2), secrets(2))
    assert len(list((directory / "secrets").iterdir())) == 1
    assert store.secrets("home") == secrets(2)
    assert store.load().profiles == (profile("home", 2),)


def test_a_removed_profile_leaves_nothing(directory: Path, store: Store) -> None:
    """Profile and keys are gone from the disk; to remove it again is no error."""
    store.save_profile(profile("home"), secrets())
    store.remove_profile("home")
    store.remove_profile("home")
    assert store.load().profiles == ()
    assert [path for folder in ("profiles", "secrets") for path in (directory / folder).iterdir()] == []
    with pytest.raises(StoreError, match="no profile “home”"):
        store.secrets("home")


def test_names_that_a_file_system_mixes_up_are_kept_apart(store: Store) -> None:
    """Case, signs and length don't make two names one; each has its own file."""
    names = ["home", "Home", "ho me", "ho-me", "東京", "北京", "x" * 64, "x" * 63]
    for number, name in enumerate(names, 1):
        store.save_profile(profile(name, number), secrets(number))
    assert {each.name for each in store.load().profiles} == set(names)
    assert [store.secrets(name) for name in names] == [secrets(number) for number in range(1, len(names) + 1)]


@pytest.mark.parametrize("name", ["", "../up", ".x", "a\nb"])
def test_a_bad_name_is_not_stored(directory: Path, store: Store, name: str) -> None:
    """A name that can't be a profile's is refused with a sentence, and no key is written."""
    with pytest.raises(StoreError, match="a profile's name"):
        store.save_profile(profile(name), secrets())
    assert list((directory / "secrets").iterdir()) == []


def test_no_file_outside_the_secrets_has_a_key(directory: Path, store: Store) -> None:
    """The private key stands in one file, that of the secrets."""
    store.save_profile(profile("home"), secrets())
    key = secrets().private_key.reveal_base64().encode()
    having = [path.parent.name for path in directory.rglob("*.json") if key in path.read_bytes()]
    assert having == ["secrets"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"version":1,"content":{}}'])
def test_a_damaged_profile_is_set_aside(directory: Path, store: Store, content: bytes) -> None:
    """The others load, the file is kept for whoever can mend it, its keys as well, and it is reported once."""
    store.save_profile(profile("home", 1), secrets(1))
    store.save_profile(profile("work", 2), secrets(2))
    path = only(directory, "profiles/home-*.json")
    good = path.read_bytes()
    path.write_bytes(content)
    loaded = fresh(directory).load()
    assert loaded.profiles == (profile("work", 2),)
    assert codes(loaded) == ["profile_damaged"]
    aside = only(directory, "profiles/home-*.json.corrupt-1")
    assert aside.name in loaded.warnings[0].text
    assert aside.read_bytes() == content
    assert codes(fresh(directory).load()) == []
    path.write_bytes(good)
    assert fresh(directory).load().profiles == (profile("home", 1), profile("work", 2))
    assert fresh(directory).secrets("home") == secrets(1)


def test_damage_after_damage_keeps_both(directory: Path, store: Store) -> None:
    """A second damaged file of the same name doesn't replace the first."""
    for _ in range(2):
        store.save_profile(profile("home"), secrets())
        only(directory, "profiles/home-*.json").write_bytes(b"x")
        assert codes(store.load()) == ["profile_damaged"]
    assert len(list(directory.glob("profiles/*.corrupt-[12]"))) == 2
    store.remove_profile("home")
    assert list(directory.glob("profiles/*")) == list(directory.glob("secrets/*")) == []


def test_a_profile_under_another_name_is_set_aside(directory: Path, store: Store) -> None:
    """A copied file would give two profiles the same name and keys."""
    store.save_profile(profile("home"), secrets())
    path = only(directory, "profiles/home-*.json")
    path.with_name("copy.json").write_bytes(path.read_bytes())
    loaded = store.load()
    assert (loaded.profiles, codes(loaded)) == ((profile("home"),), ["profile_damaged"])


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
    store.save_profile(profile("home"), secrets())
    store.save_settings(Settings())
    store.save_wish(Wish())
    path = only(directory, pattern)
    newer = path.read_bytes().replace(b'"version": 1', b'"version": 2')
    path.write_bytes(newer)
    with pytest.raises(StoreError, match=re.escape(f"{path} was written by a newer SloPN (format 2")):
        fresh(directory).load()
    assert path.read_bytes() == newer


@pytest.mark.parametrize("damage", ["gone", "damaged", "open"])
def test_a_profile_without_its_keys_is_reported(directory: Path, store: Store, damage: str) -> None:
    """It stays in the list, with a warning that says what to do, and has no keys to give."""
    store.save_profile(profile("home"), secrets())
    path = only(directory, "secrets/*.json")
    if damage == "gone":
        path.unlink()
    elif damage == "damaged":
        path.write_bytes(b"{")
    else:
        path.chmod(0o644)
    loaded = store.load()
    assert (loaded.profiles, codes(loaded)) == ((profile("home"),), ["profile_without_keys"])
    with pytest.raises(SecretError):
        store.secrets("home")


def test_orphaned_keys_are_swept(directory: Path, store: Store) -> None:
    """Keys to which no profile refers, as a crash leaves them, don't stay."""
    store.save_profile(profile("home"), secrets())
    path = only(directory, "secrets/*.json")
    for name in ("home-0123.4567.json", path.name.replace(".", ".0", 1)):
        path.with_name(name).write_bytes(path.read_bytes())
        path.with_name(name).chmod(0o600)
    assert store.load().profiles == (profile("home"),)
    assert [each.name for each in (directory / "secrets").iterdir()] == [path.name]


def test_keys_that_others_could_read_stop_the_start(directory: Path, store: Store) -> None:
    """A directory of keys that is open to others is not used."""
    store.save_profile(profile("home"), secrets())
    (directory / "secrets").chmod(0o755)
    with pytest.raises(SecretError, match="has mode 0755"):
        fresh(directory).load()


def test_the_state_directory_has_one_holder(directory: Path) -> None:
    """The lock works before anything was loaded, and names this process."""
    store = fresh(directory)
    assert store.holder() is None
    store.lock()
    assert fresh(directory).holder() == os.getpid()
    store.unlock()
    assert fresh(directory).holder() is None


def test_a_full_disk_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be written is refused with a sentence, and the old state stays."""
    store.save_profile(profile("home", 1), secrets(1))
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
            store.save_profile(profile("home", 2), secrets(2))
    assert store.load() == before
    assert store.secrets("home") == secrets(1)


def test_a_failed_last_sync_leaves_a_profile_with_its_keys(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the rename went through and the sync after it fails, the profile on disk still finds its keys."""
    store.save_profile(profile("home", 1), secrets(1))
    fsync, left = os.fsync, iter(range(3))

    def fail_fourth(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(5, os.strerror(5))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_fourth)
        with pytest.raises(StoreError, match="Input/output error"):
            store.save_profile(profile("home", 2), secrets(2))
    loaded = store.load()
    assert (loaded.profiles, loaded.warnings) == ((profile("home", 2),), ())
    assert store.secrets("home") == secrets(2)


def test_profiles_may_change_in_format() -> None:
    """Everything stored is a struct with defaults for what may be added, so that old files stay readable."""
    assert msgspec.json.decode(b"{}", type=Settings) == Settings()
    assert msgspec.json.decode(b"{}", type=Wish) == Wish()
