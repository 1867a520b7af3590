"""Profiles, settings and the wish on disk: atomic, durable, versioned."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from slopn_helper.conf.names import name_problem
from slopn_helper.files import make_directory, remove_file, sweep_temporary, why, write_file
from slopn_helper.health import warning
from slopn_helper.secrets import ProfileSecrets, SecretError, SecretStore
from slopn_helper.store.documents import Damaged, NewerFormat, StoredProfile, pack, unpack
from slopn_helper.store.documents import Wish as Wish
from slopn_helper.store.lock import StateLock
from slopn_helper.store.lock import StateLocked as StateLocked
from slopn_wire.events import Warning  # noqa: A004 - the health list's word
from slopn_wire.profile import Profile
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import TargetState

_T = TypeVar("_T", bound=Struct)


class StoreError(Exception):
    """The state directory can't be read or written as asked; the message says why."""


class Loaded(Struct, frozen=True):
    """Everything on disk, as of a start."""

    profiles: tuple[Profile, ...]
    """By name."""
    settings: Settings
    wish: Wish
    warnings: tuple[Warning, ...]
    """What was damaged, and what became of it."""


class Store:
    """The helper's state directory. One process at a time may hold it (`lock`); methods block for a few syncs.

    Layout: `profiles/*.json`, `secrets/*.json`, `settings.json`, `wish.json`, `lock`; all `owner`'s alone.
    """

    def __init__(self, state_dir: Path, owner: int = 0) -> None:
        self._directory = state_dir
        self._profiles = state_dir / "profiles"
        self._settings = state_dir / "settings.json"
        self._wish = state_dir / "wish.json"
        self._secrets = SecretStore(state_dir / "secrets", owner)
        self._lock = StateLock(state_dir / "lock")

    def lock(self, *, unwritten: bool = False) -> None:
        """Hold the state directory until this process ends or `unlock`s. Raises `StateLocked` if another holds it.

        `unwritten`: also where nothing can be written, for `restore`. Raises `StoreError`, `OSError`.
        """
        self._make_directories()
        self._lock.acquire(unwritten=unwritten)

    def unlock(self) -> None:
        """Let go of the state directory."""
        self._lock.release()

    def holder(self) -> int | None:
        """The process that holds the state directory; None: nobody does."""
        return self._lock.holder()

    def load(self) -> Loaded:
        """Read everything, sweep what a crash left, set damaged files aside as `NAME.corrupt-N`. Call it once, locked.

        A host that was closed must not open by accident: a damaged wish becomes "secured", with no profile, and damaged
        settings become the kill switch's mode ALWAYS; both with a warning. Raises `StoreError` if a newer SloPN wrote
        here, `SecretError` if others could read the keys.
        """
        self._make_directories()
        self._secrets.open()
        for directory in (self._directory, self._profiles):
            sweep_temporary(directory)
        warnings: list[Warning] = []
        stored = self._load_profiles(warnings)
        settings = self._load_settings(warnings)
        wish = self._load_wish(warnings)
        self._sweep_secrets(stored)
        warnings.extend(self._missing_keys(stored))
        profiles = sorted((each.profile for each in stored), key=lambda profile: profile.name)
        return Loaded(tuple(profiles), settings, wish, tuple(warnings))

    def save_profile(self, profile: Profile, secrets: ProfileSecrets) -> None:
        """Add `profile`, or replace the one of its name: after a crash it is there with its keys, or all is as before.

        Raises `StoreError` or `SecretError`: it isn't known to be on disk then.
        """
        problem = name_problem(profile.name)
        if problem is not None:
            raise StoreError(problem)
        path = self._path(profile.name)
        identifier = self._secrets.put(path.stem, secrets)
        # If this fails, the new keys stay until the next load: its last sync may have failed with the file in place.
        self._write(path, StoredProfile(profile, identifier))
        with suppress(SecretError):
            self._secrets.remove(self._secrets_of(path.stem) - {identifier})

    def remove_profile(self, name: str) -> None:
        """Forget a profile, then its keys. One that isn't there is no error. Raises `StoreError` or `SecretError`."""
        path = self._path(name)
        try:
            remove_file(path)
            for damaged in self._profiles.glob(f"{path.name}.corrupt-*"):
                remove_file(damaged)
        except OSError as error:
            raise StoreError(f"{path} could not be removed: {why(error)}") from None
        self._secrets.remove(self._secrets_of(path.stem))

    def secrets(self, name: str) -> ProfileSecrets:
        """The keys of a profile. Raises `StoreError` if there is no such profile, `SecretError` if its keys are lost."""
        stored = self._read_profile(self._path(name))
        if stored is None:
            raise StoreError(f"there is no profile “{name}”")
        return self._secrets.get(stored.secrets)

    def save_settings(self, settings: Settings) -> None:
        """Replace all settings. Raises `StoreError`; the old ones stay then."""
        self._write(self._settings, settings)

    def save_wish(self, wish: Wish) -> None:
        """Replace the wish. Raises `StoreError`; the old one stays then."""
        self._write(self._wish, wish)

    def want_nothing(self) -> None:
        """Make the wish "unsecured", whatever is there: for `restore`, which must work where `load` refuses.

        The profile connected to last is kept if it can be read. Raises `StoreError` if the wish can't be written.
        """
        try:
            last = self._read(self._wish, Wish) or Wish()
        except (Damaged, StoreError):
            last = Wish()
        self._make_directories()
        self.save_wish(Wish(TargetState.UNSECURED, last.profile))

    def block_no_more(self) -> None:
        """Make no mode close a host that wants no tunnel: `always` becomes `on`. For `unlock`, as `want_nothing`.

        Settings that can't be read become the default ones. Raises `StoreError` if they can't be written.
        """
        try:
            settings = self._read(self._settings, Settings) or Settings()
        except (Damaged, StoreError):
            settings = Settings(kill_switch=KillSwitchMode.ALWAYS)
        if settings.kill_switch is KillSwitchMode.ALWAYS:
            self._make_directories()
            self.save_settings(replace(settings, kill_switch=KillSwitchMode.ON))

    def _load_profiles(self, warnings: list[Warning]) -> list[StoredProfile]:
        loaded = []
        for path in sorted(self._profiles.glob("*.json")):
            stored = self._read_profile(path)
            if stored is not None and self._path(stored.profile.name) == path:
                loaded.append(stored)
                continue
            aside = self._set_aside(path)
            self._remove(path)
            warnings.append(warning("profile_damaged", file=aside.name))
        return loaded

    def _load_settings(self, warnings: list[Warning]) -> Settings:
        try:
            return self._read(self._settings, Settings) or Settings()
        except Damaged:
            aside = self._set_aside(self._settings)
            settings = Settings(kill_switch=KillSwitchMode.ALWAYS)
            self.save_settings(settings)
            warnings.append(warning("settings_damaged", file=aside.name))
            return settings

    def _load_wish(self, warnings: list[Warning]) -> Wish:
        try:
            return self._read(self._wish, Wish) or Wish()
        except Damaged:
            aside = self._set_aside(self._wish)
            wish = Wish(target=TargetState.SECURED)
            self.save_wish(wish)
            warnings.append(warning("wish_damaged", file=aside.name))
            return wish

    def _missing_keys(self, stored: list[StoredProfile]) -> list[Warning]:
        warnings = []
        for each in stored:
            try:
                self._secrets.get(each.secrets)
            except SecretError as error:
                warnings.append(warning("profile_without_keys", profile=each.profile.name, why=str(error)))
        return warnings

    def _sweep_secrets(self, stored: list[StoredProfile]) -> None:
        # Keys of a profile that was set aside stay until it is imported again or removed: it may be mended by hand.
        aside = {path.name.partition(".")[0] for path in self._profiles.glob("*.json.corrupt-*")}
        orphans = self._secrets.identifiers() - {each.secrets for each in stored}
        self._secrets.remove(name for name in orphans if name.partition(".")[0] not in aside)

    def _secrets_of(self, stem: str) -> frozenset[str]:
        return frozenset(name for name in self._secrets.identifiers() if name.partition(".")[0] == stem)

    def _path(self, name: str) -> Path:
        # Readable for support, and one file a name also where the file system folds case or limits names.
        readable = re.sub(r"[^a-z0-9]+", "-", name.lower())[:32].strip("-")
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self._profiles / f"{readable}-{digest}.json".lstrip("-")

    def _make_directories(self) -> None:
        try:
            make_directory(self._directory)
            make_directory(self._profiles)
        except OSError as error:
            raise StoreError(f"{self._directory} could not be made: {why(error)}") from None

    def _read_profile(self, path: Path) -> StoredProfile | None:
        try:
            return self._read(path, StoredProfile)
        except Damaged:
            return None

    def _read(self, path: Path, kind: type[_T]) -> _T | None:
        try:
            return unpack(path.read_bytes(), kind)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} could not be read: {error.strerror}") from None
        except NewerFormat as error:
            raise StoreError(f"{path} was written by a newer SloPN ({error}); install that one again") from None

    def _write(self, path: Path, content: Struct) -> None:
        try:
            write_file(path, pack(content))
        except OSError as error:
            raise StoreError(f"{path} could not be written: {why(error)}") from None

    def _remove(self, path: Path) -> None:
        try:
            remove_file(path)
        except OSError as error:
            raise StoreError(f"{path} could not be removed: {why(error)}") from None

    def _set_aside(self, path: Path) -> Path:
        number = 1
        while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
            number += 1
        try:
            write_file(aside, path.read_bytes())
        except OSError as error:
            raise StoreError(f"{path} is damaged and could not be set aside: {why(error)}") from None
        return aside
