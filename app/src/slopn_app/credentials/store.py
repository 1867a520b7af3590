"""What a front end holds for each helper: on disk the public part, the private key in the user's keyring or beside it.

`credentials/FINGERPRINT/FRONT_END.json` in the user's state directory; the fingerprint is that of the helper's authority,
so that several helpers (a test's, a reinstalled one's) don't mix. Newest first: a renewed certificate stands before the
one that it replaces until it has been used, so that nothing can get lost on the way.
"""

# pathlib is heavy, and every `slopn status` comes through here.
# ruff: noqa: PTH108, PTH118, PTH208
from __future__ import annotations

import contextlib
import json
import os

from slopn_app.credentials.vault import Locked, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any

    from slopn_app.host.parts import Host

MOST_AUTHORITIES = 16
"""Helpers that are remembered; the one unused for longest is forgotten first."""
KEYRING = "keyring"
FILE = "file"
_DAY = 24 * 3600
_VERSION = 1


class Lost(Exception):
    """The private key isn't where it was put."""


class Held:
    """One certificate and where its key is. `key` names the key, `place` is `KEYRING` or `FILE`; times are Unix."""

    def __init__(
        self, device: str, certificate: str, key: str, place: str, not_before: float, not_after: float
    ) -> None:
        self.device = device
        self.certificate = certificate
        self.key = key
        self.place = place
        self.not_before = not_before
        self.not_after = not_after

    def due(self, now: float) -> bool:
        """Whether only a third of its lifetime is left. By a clock that went back it never is: that goes forth again."""
        return now > self.not_after - (self.not_after - self.not_before) / 3


class Store:
    """The credentials of `front_end` (`cli`, `tray`, `window`). Raises `OSError` where the disk fails, or is foreign."""

    def __init__(self, front_end: str, host: Host) -> None:
        self._front_end = front_end
        self._host = host
        self._directory = os.path.join(host.files.state_directory(), "credentials")

    def read(self, authority: str) -> list[Held]:
        """What is held for the helper whose authority has this fingerprint, newest first; empty if nothing usable."""
        return [Held(**entry) for entry in self._record(authority, self._front_end)["held"]]

    def elsewhere(self, endpoint: str, authority: str) -> bool:
        """Whether another authority's helper was at `endpoint`."""
        return any(
            self._record(other, self._front_end)["endpoint"] == endpoint
            for other in self._authorities()
            if other != authority
        )

    def key(self, authority: str, held: Held) -> str:
        """The private key, PEM. Raises `Lost`, `Locked`, `Unavailable`."""
        if held.place == KEYRING:
            found = self._host.vault().get(self._item(authority, held.key))
            if found is None:
                raise Lost
            return found
        try:
            return self._host.files.read(self.file(authority, held.key)).decode()
        except (OSError, UnicodeDecodeError):
            raise Lost from None

    def file(self, authority: str, key: str) -> str:
        """Where the key lies if it is kept in a file."""
        return os.path.join(self._directory, authority, f"{self._front_end}-{key}.key")

    def lock(self, timeout: float) -> AbstractContextManager[None]:
        """Only one program at a time makes credentials. Raises `TimeoutError`."""
        self._host.files.make_private(self._directory)
        return self._host.files.lock(os.path.join(self._directory, f"{self._front_end}.lock"), timeout)

    def put_key(self, authority: str, key: str, label: str, secret: str, place: str) -> None:
        """Keep a private key. Raises `Locked`, `Unavailable`."""
        if place == KEYRING:
            self._host.vault().put(self._item(authority, key), label, secret)
        else:
            self._host.files.make_private(os.path.join(self._directory, authority))
            self._host.files.write(self.file(authority, key), secret.encode())

    def drop_key(self, authority: str, key: str, place: str) -> None:
        """Forget a private key, if it can be."""
        try:
            if place == KEYRING:
                self._host.vault().delete(self._item(authority, key))
            else:
                os.unlink(self.file(authority, key))
        except (OSError, Locked, Unavailable):
            pass  # without its certificate it is of no use to anybody

    def write(self, authority: str, endpoint: str, held: list[Held]) -> None:
        """Hold exactly these for the helper, newest first; what was held beside them is forgotten, keys and all."""
        before = self.read(authority)
        directory = os.path.join(self._directory, authority)
        self._host.files.make_private(directory)
        record = {"version": _VERSION, "endpoint": endpoint, "held": [vars(each) for each in held]}
        self._host.files.write(self._path(authority, self._front_end), json.dumps(record, indent=1).encode())
        for each in before:
            if each.key not in {kept.key for kept in held}:
                self.drop_key(authority, each.key, each.place)
        with contextlib.suppress(OSError):  # another program prunes at the same time
            self._prune()

    def used(self, authority: str, now: float) -> None:
        """Remember, by the day, that this helper is still there."""
        directory = os.path.join(self._directory, authority)
        try:
            if abs(now - os.stat(directory).st_mtime) > _DAY:  # noqa: PTH116 - as above
                os.utime(directory)
        except OSError:
            pass  # it is for `_prune` alone

    def _prune(self) -> None:
        authorities = self._authorities()
        for authority in authorities[: max(len(authorities) - MOST_AUTHORITIES, 0)]:
            directory = os.path.join(self._directory, authority)
            for name in os.listdir(directory):
                if name.endswith(".json"):
                    front_end = name.removesuffix(".json")
                    for entry in self._record(authority, front_end)["held"]:
                        Store(front_end, self._host).drop_key(authority, entry["key"], entry["place"])
            for name in os.listdir(directory):
                os.unlink(os.path.join(directory, name))
            os.rmdir(directory)  # noqa: PTH106 - as above

    def _authorities(self) -> list[str]:
        """All that are remembered, the one unused for longest first."""
        try:
            with os.scandir(self._directory) as entries:
                found = [
                    (entry.stat().st_mtime, entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)
                ]
        except OSError:
            return []
        return [name for _, name in sorted(found)]

    def _record(self, authority: str, front_end: str) -> Any:
        """A record as JSON; an empty one if there is none, or none that makes sense."""
        try:
            record = json.loads(self._host.files.read(self._path(authority, front_end)))
            if record["version"] == _VERSION and isinstance(record["endpoint"], str):
                for entry in record["held"]:
                    Held(**entry)
                return record
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            pass
        return {"endpoint": "", "held": []}

    def _path(self, authority: str, front_end: str) -> str:
        return os.path.join(self._directory, authority, f"{front_end}.json")

    def _item(self, authority: str, key: str) -> str:
        return f"{authority}/{self._front_end}/{key}"
