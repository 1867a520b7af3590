"""Private and preshared keys: a type that never shows them, and their files at rest."""

from __future__ import annotations

import base64
import binascii
import ctypes
import hmac
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from secrets import token_hex
from typing import NoReturn

import msgspec
from msgspec import Struct

from slopn_helper.files import make_directory, remove_file, sweep_temporary, why, write_file

VERSION = 1
"""Format of a file of secrets."""


_PR_SET_DUMPABLE = 4


def forbid_dumps() -> None:
    """Keep this process's memory, keys and all, out of core files (prctl(2): PR_SET_DUMPABLE). Linux alone.

    Raises `OSError`.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class SecretError(Exception):
    """Keys could not be kept or found. The message names files, never what is in them."""


class Secret:
    """32 secret bytes. `str`, `repr` and `format` never show them; they can't be pickled or put on the wire."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 32:
            raise ValueError(f"a key of {len(raw)} bytes; a key has 32")
        self._raw = raw

    @classmethod
    def from_base64(cls, text: str) -> Secret:
        """The key that `text` spells, in the one form wg(8) accepts. Raises `ValueError`, which doesn't quote it."""
        try:
            raw = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise ValueError("a key that is not base64") from None
        if len(raw) != 32 or base64.b64encode(raw).decode() != text:
            raise ValueError("a key that does not stand for 32 bytes")
        return cls(raw)

    def reveal(self) -> bytes:
        """The 32 bytes, for the engine alone."""
        return self._raw

    def reveal_base64(self) -> str:
        """44 characters, for an export and the file at rest alone."""
        return base64.b64encode(self._raw).decode()

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._raw, other._raw)

    def __hash__(self) -> int:
        return hash(self._raw)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class ProfileSecrets(Struct, frozen=True):
    """What a profile needs and its public part doesn't hold."""

    private_key: Secret
    preshared_keys: dict[str, Secret] = {}
    """By the peer's public key in base64."""


class _File(Struct, frozen=True):
    version: int
    private_key: str
    preshared_keys: dict[str, str]


class SecretStore:
    """Files of secrets in a directory that is `owner`'s alone (0700; each file 0600).

    A key is written once under a fresh identifier and never changed: whoever refers to it (a profile's file) moves
    from the old to the new in one step.
    """

    def __init__(self, directory: Path, owner: int = 0) -> None:
        self._directory = directory
        self._owner = owner

    def open(self) -> None:
        """Make the directory, or check the one that is there. Raises `SecretError` if others could read it."""
        try:
            make_directory(self._directory)
        except OSError as error:
            raise SecretError(f"{self._directory} could not be made: {why(error)}") from None
        self._check_parent()
        self._check(self._directory, "directory")
        sweep_temporary(self._directory)

    def put(self, stem: str, secrets: ProfileSecrets) -> str:
        """Keep `secrets`, durably; returns the identifier to find them by, which begins with `stem`."""
        identifier = f"{stem}.{token_hex(8)}"
        content = _File(
            version=VERSION,
            private_key=secrets.private_key.reveal_base64(),
            preshared_keys={peer: key.reveal_base64() for peer, key in secrets.preshared_keys.items()},
        )
        self._check(self._directory, "directory")
        try:
            write_file(self._path(identifier), msgspec.json.encode(content))
        except OSError as error:
            raise SecretError(f"no key could be written to {self._directory}: {why(error)}") from None
        return identifier

    def get(self, identifier: str) -> ProfileSecrets:
        """The secrets kept under `identifier`. Raises `SecretError` if they are gone, damaged or were readable."""
        path = self._path(identifier)
        self._check(self._directory, "directory")
        self._check(path, "file")
        try:
            content = msgspec.json.decode(path.read_bytes(), type=_File)
            if content.version != VERSION:
                raise SecretError(f"{path} has format {content.version}; this SloPN knows {VERSION}")
            return ProfileSecrets(
                private_key=Secret.from_base64(content.private_key),
                preshared_keys={peer: Secret.from_base64(key) for peer, key in content.preshared_keys.items()},
            )
        except OSError as error:
            raise SecretError(f"{path} could not be read: {error.strerror}") from None
        except (ValueError, RecursionError, msgspec.DecodeError):
            # Their messages may quote what they could not read.
            raise SecretError(f"{path} is damaged; import the profile again") from None

    def identifiers(self) -> frozenset[str]:
        """All that are kept."""
        return frozenset(path.name.removesuffix(".json") for path in self._directory.glob("*.json"))

    def remove(self, identifiers: Iterable[str]) -> None:
        """Forget these, durably; what is gone already is no error. Raises `SecretError`."""
        for identifier in sorted(identifiers):
            try:
                remove_file(self._path(identifier))
            except OSError as error:
                raise SecretError(f"{self._path(identifier)} could not be removed: {error.strerror}") from None

    def _path(self, identifier: str) -> Path:
        return self._directory / f"{identifier}.json"

    def _check_parent(self) -> None:
        parent = self._directory.parent
        status = parent.stat()
        if status.st_uid not in {0, self._owner} or status.st_mode & 0o022:
            raise SecretError(
                f"{parent} can be written by others, who could exchange the keys in it; chmod go-w {parent}"
            )

    def _check(self, path: Path, kind: str) -> None:
        try:
            status = path.lstat()
        except OSError as error:
            raise SecretError(f"{path} is missing or out of reach: {error.strerror}") from None
        right_kind = stat.S_ISDIR(status.st_mode) if kind == "directory" else stat.S_ISREG(status.st_mode)
        mode = stat.S_IMODE(status.st_mode)
        if not right_kind:
            raise SecretError(f"{path} is not a {kind}; keys are kept in a plain {kind} alone")
        if status.st_uid != self._owner:
            raise SecretError(
                f"{path} belongs to user {status.st_uid}; keys are kept only where user {self._owner} owns it"
            )
        if mode & 0o077:
            wanted = "0700" if kind == "directory" else "0600"
            raise SecretError(
                f"{path} has mode {mode:04o}, so others may read keys; check who could, then: chmod {wanted} {path}"
            )
