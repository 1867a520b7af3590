"""The gateway's WireGuard private key: made once, in a file that root alone can read.

A key that is gone is never replaced by itself: every device would have to be told the new one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_helper.files import make_directory, why, write_file
from slopn_helper.secrets import Secret

NAME = "wireguard.key"
"""The file's name in the state directory."""
LENGTH = 32

_MOST = 64


class GatewayKeyError(Exception):
    """The key can't be had; the sentence says why and what to do, and nothing of the key."""


def load(path: Path, owner: int = 0) -> bytes:
    """The private key, 32 bytes, of `owner`'s file. Raises `GatewayKeyError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise GatewayKeyError(f"{path} is missing: run `slopn-gateway init`, or put it back from a backup.") from None
    except OSError as error:
        raise GatewayKeyError(f"{path} can't be read: {why(error)}.") from None
    with os.fdopen(descriptor, "rb") as file:
        if (problem := _problem(path, os.fstat(descriptor), owner)) is not None:
            raise GatewayKeyError(problem)
        text = file.read(_MOST + 1)
    try:
        return Secret.from_base64(text.decode("ascii").strip()).reveal()
    except ValueError:
        raise GatewayKeyError(
            f"{path} is damaged: put it back from a backup. With another key every device must be enrolled anew."
        ) from None


def create(path: Path, chance: Callable[[int], bytes] = os.urandom, owner: int = 0) -> bytes:
    """The key at `path`, made if there is none; one that is there stays, and is `load`ed. Raises `GatewayKeyError`."""
    if os.path.lexists(path):
        return load(path, owner)
    key = clamped(chance(LENGTH))
    try:
        make_directory(path.parent)
        write_file(path, f"{Secret(key).reveal_base64()}\n".encode())
    except OSError as error:
        raise GatewayKeyError(f"{path} can't be written: {why(error)}.") from None
    return load(path, owner)


def problem(path: Path, owner: int = 0) -> str | None:
    """Why the key at `path` wouldn't do, in a sentence; None: it does."""
    try:
        load(path, owner)
    except GatewayKeyError as error:
        return str(error)
    return None


def public_key(private_key: bytes) -> bytes:
    """What devices are told, 32 bytes."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def clamped(random: bytes) -> bytes:
    """32 random bytes as `wg genkey` writes them (RFC 7748, section 5)."""
    return bytes([random[0] & 248, *random[1:31], random[31] & 127 | 64])


def _problem(path: Path, found: os.stat_result, owner: int) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is no plain file."
    if found.st_uid != owner:
        return f"{path} belongs to user {found.st_uid}: check who put it there, then `chown {owner} {path}`."
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        return f"{path} has mode {mode:04o}, so others may read the key: check who could, then `chmod 0600 {path}`."
    return None
