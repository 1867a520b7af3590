"""Keys that a gateway may know already and no profile has yet: written before they are sent, so that a lost answer can be
asked for again with the same key, also after the helper was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_helper.secrets import ProfileSecrets, Secret, SecretError, SecretStore

KEPT = 7 * 24 * 3600.0
"""Seconds after which a key that came to nothing is forgotten: by then its token has expired, or a new link is there."""
MOST = 16


def of_token(token: bytes) -> str:
    """What a key that was made for `token` is found by: its hash, which gives nothing away."""
    return sha256(b"enrol" + token).hexdigest()[:32]


def of_rotation(device: str) -> str:
    """What the next key of a device is found by."""
    return sha256(b"rotate" + device.encode()).hexdigest()[:32]


class Pending:
    """Keys by what they were made for. Methods block for a few syncs, and raise `SecretError`."""

    def __init__(self, directory: Path, owner: int = 0, *, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._secrets = SecretStore(directory, owner)
        self._clock = clock
        self._opened = False

    def key(self, purpose: str) -> Secret:
        """The key that was made for `purpose`, or a new one: on the disk either way."""
        known = self.known(purpose)
        if known is not None:
            return known
        key = Secret(X25519PrivateKey.generate().private_bytes_raw())
        self._secrets.put(purpose, ProfileSecrets(key))
        return key

    def open(self) -> None:
        """Make the directory, or check the one that is there, and forget what is too old."""
        self._open()

    def known(self, purpose: str) -> Secret | None:
        """The key that was made for `purpose`, if there is one."""
        self._open()
        for identifier in self._found(purpose):
            with suppress(SecretError):
                return self._secrets.get(identifier).private_key
        return None

    def forget(self, purpose: str) -> None:
        """A profile has the key by now, or it came to nothing."""
        self._open()
        self._secrets.remove(self._found(purpose))

    def _open(self) -> None:
        if not self._opened:
            self._secrets.open()
            self._opened = True
        ages = {name: self._age(name) for name in self._secrets.identifiers()}
        newest = sorted(ages, key=ages.__getitem__)
        self._secrets.remove(name for at, name in enumerate(newest) if at >= MOST or ages[name] > KEPT)

    def _age(self, identifier: str) -> float:
        try:
            return self._clock() - (self._directory / f"{identifier}.json").stat().st_mtime
        except OSError:
            return 0.0

    def _found(self, purpose: str) -> list[str]:
        return sorted(name for name in self._secrets.identifiers() if name.partition(".")[0] == purpose)
