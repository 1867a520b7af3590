"""The .zip that `slopn diagnose` saves and `slopn replay` reads."""

from __future__ import annotations

import json
import os
import sys
import time
import zipfile

from slopn_app.cli.failure import Failure, Status

MOST = 64 << 20
"""Bytes of a recording that are read, unpacked: some files never end, and some archives hold more than they weigh."""
_MAGIC = b"PK"


def save(path: str, files: dict[str, str], now: float) -> None:
    """Write `files` into a new archive that only this user can read. Raises `Failure`, and leaves no half of one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failure(Status.FAILED, f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in sorted(files.items()):
                info = zipfile.ZipInfo(_member(name), time.localtime(now)[:6])
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o600 << 16
                archive.writestr(info, text.encode(errors="replace"))
    except BaseException as error:
        os.unlink(path)  # noqa: PTH108 - pathlib is heavy
        if isinstance(error, OSError):
            raise Failure(Status.FAILED, f"{path}: {error.strerror}") from None
        raise


def recording(path: str) -> bytes:
    """The flight recorder's lines in a bundle, or a file that is one itself; `-` is stdin. Raises `Failure`."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MOST + 1)
        else:
            with open(path, "rb") as file:  # noqa: PTH123 - pathlib is heavy
                data = file.read(MOST + 1)
    except OSError as error:
        raise Failure(Status.USAGE, f"{path}: {error.strerror}") from None
    if len(data) > MOST:
        raise Failure(Status.USAGE, f"{path} is larger than any bundle.")
    if not data.startswith(_MAGIC):
        if not looks_recorded(data):
            raise Failure(Status.USAGE, f"{path} is neither a bundle of `slopn diagnose` nor a recording.")
        return data
    try:
        return _unpacked(path, data)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise Failure(Status.USAGE, f"{path} is damaged: {error}.") from None


def looks_recorded(data: bytes) -> bool:
    """Whether the first line is a step of the core."""
    try:
        step = json.loads(data.split(b"\n", 1)[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(step, dict) and "input" in step and "at" in step


def _unpacked(path: str, data: bytes) -> bytes:
    import io

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not info.filename.endswith((".jsonl", ".json")):
                continue
            with archive.open(info) as member:
                found = member.read(MOST + 1)
            if len(found) > MOST:
                raise Failure(Status.USAGE, f"{path} holds a recording that is larger than any.")
            if looks_recorded(found):
                return found
    raise Failure(Status.USAGE, f"{path} holds no recording.")


def _member(name: str) -> str:
    """A name that stays inside the folder where the archive is unpacked."""
    return "_".join(part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}) or "unnamed"
