from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

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


def test_a_first_start_finds_defaults(directory: Path) -> None:
    """Without a state directory there is no profile, nothing is wanted, and the directory is made for its owner alone."""
    assert fresh(directory).load() == Loaded((), Settings(), Wish(), ())
    assert directory.stat().st_mode & 0o777 == 0o700


def test_everything_survives(directory: Path, store: Store) -> None:
    """Profiles in the order of their names, settings, wish and keys are as they were saved."""
    settings = Settings(kill_switch=KillSwitchMode.ALWAYS, allow_lan=True)
    wish = Wish(TargetState.SECURED, "work")
    for name, number in (("work", 2), ("home", 1)):
        store.save_profile(stored_profile(name, number), stored_secrets(number))
    store.save_settings(settings)
    store.save_wish(wish)
    again = fresh(directory)
    assert again.load() == Loaded((stored_profile("home", 1), stored_profile("work", 2)), settings, wish, ())
    assert again.secrets("work") == stored_secrets(2)


def test_a_profile_is_replaced_with_its_keys(directory: Path, store: Store) -> None:
    """The new profile has the new keys, and the old ones are gone from the disk."""
    store.save_profile(stored_profile("home", 1), stored_secrets(1))
    store.save_profile(stored_profile("home", 2), stored_secrets(2))
    assert len(list((directory / "secrets").iterdir())) == 1
    assert store.secrets("home") == stored_secrets(2)
    assert store.load().profiles == (stored_profile("home", 2),)


def test_a_removed_profile_leaves_nothing(directory: Path, store: Store) -> None:
    """Profile and keys are gone from the disk; to remove it again is no error."""
    store.save_profile(stored_profile("home"), stored_secrets())
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
        store.save_profile(stored_profile(name, number), stored_secrets(number))
    assert {each.name for each in store.load().profiles} == set(names)
    assert [store.secrets(name) for name in names] == [stored_secrets(number) for number in range(1, len(names) + 1)]


@pytest.mark.parametrize("name", ["", "../up", ".x", "a\nb"])
def test_a_bad_name_is_not_stored(directory: Path, store: Store, name: str) -> None:
    """A name that can't be a profile's is refused with a sentence, and no key is written."""
    with pytest.raises(StoreError, match="a profile's name"):
        store.save_profile(stored_profile(name), stored_secrets())
    assert list((directory / "secrets").iterdir()) == []


def test_no_file_outside_the_secrets_has_a_key(directory: Path, store: Store) -> None:
    """The private key stands in one file, that of the secrets."""
    store.save_profile(stored_profile("home"), stored_secrets())
    key = stored_secrets().private_key.reveal_base64().encode()
    having = [path.parent.name for path in directory.rglob("*.json") if key in path.read_bytes()]
    assert having == ["secrets"]


def test_the_state_directory_has_one_holder(directory: Path) -> None:
    """The lock works before anything was loaded, and names this process."""
    store = fresh(directory)
    assert store.holder() is None
    store.lock()
    assert fresh(directory).holder() == os.getpid()
    store.unlock()
    assert fresh(directory).holder() is None


def test_profiles_may_change_in_format() -> None:
    """Everything stored is a struct with defaults for what may be added, so that old files stay readable."""
    assert msgspec.json.decode(b"{}", type=Settings) == Settings()
    assert msgspec.json.decode(b"{}", type=Wish) == Wish()


@pytest.mark.parametrize(
    ("mode", "after"), [("off", KillSwitchMode.OFF), ("on", KillSwitchMode.ON), ("always", KillSwitchMode.ON)]
)
def test_block_no_more(store: Store, directory: Path, mode: str, after: KillSwitchMode) -> None:
    """`always` becomes `on`; what else is set stays."""
    store.save_settings(Settings(kill_switch=KillSwitchMode(mode), allow_lan=True))
    store.block_no_more()
    assert fresh(directory).load().settings == Settings(kill_switch=after, allow_lan=True)


def test_damaged_settings_block_no_more_either(store: Store, directory: Path) -> None:
    """They would be taken for `always` at the next start."""
    (directory / "settings.json").write_text("{", encoding="ascii")
    store.block_no_more()
    assert fresh(directory).load().settings.kill_switch is KillSwitchMode.ON
