"""`slopn import FILE… [--name NAME] [--replace]`: the file is read as the user, judged by the helper."""

from __future__ import annotations

import argparse
import sys
from pathlib import PurePath
from typing import NamedTuple

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, say, warn
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import n, t

VERB = Verb(
    "store wg-quick files as profiles",
    (
        Argument(("files",), "a wg-quick file; - reads stdin", {"nargs": "+", "metavar": "FILE"}, "file"),
        Argument(("--name",), "the profile's name; left out: the file's name without .conf", {"metavar": "NAME"}),
        Argument(("--replace",), "overwrite a profile of that name", {"action": "store_true"}),
    ),
    "Every file is checked, whatever is wrong with others; status 2 if any was refused.\n"
    "PreUp, PostUp, PreDown and PostDown are never run.",
    examples=(
        ("slopn import berlin.conf", "as profile berlin"),
        ("slopn import wg0.conf --name office", ""),
        ("gpg -d wg0.conf.gpg | slopn import - --name home", ""),
    ),
    see=("profiles", "connect", "export"),
)
_STDIN = "-"
_MOST = 1 << 20
"""Bytes that are read of a file: what the helper takes. Some files never end (/dev/zero)."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class _Bad(Exception):
    """A file that can't be read; the message says where and why."""


class _Result(NamedTuple):
    file: str
    name: str
    notes: list[str]
    error: str | None


def run(arguments: argparse.Namespace) -> int:
    """Import each file; says which were stored and what is wrong with the rest."""
    if arguments.name is not None and len(arguments.files) > 1:
        raise Failure(Status.USAGE, t("--name is for one file; with several each is named after itself."))
    if _STDIN in arguments.files and arguments.name is None:
        raise Failure(Status.USAGE, t("A profile from stdin needs a --name."))
    with Channel() as channel:
        results = [
            _import(channel, file, _name(file) if arguments.name is None else arguments.name, replace=arguments.replace)
            for file in arguments.files
        ]
    if arguments.json:
        put_json(_document(results))
    else:
        _tell(results)
    return Status.USAGE if any(result.error is not None for result in results) else Status.DONE


def _import(channel: Channel, file: str, name: str, *, replace: bool) -> _Result:
    shown = "stdin" if file == _STDIN else file
    try:
        text = _decode(_read(file, shown), shown)
    except _Bad as error:
        return _Result(shown, name, [], str(error))
    try:
        reply = channel.attempt(
            {"type": "import_profile", "name": name, "text": text, "filename": shown, "replace": replace}
        )
    except Failure as failure:
        if failure.status is not Status.USAGE:
            raise
        return _Result(shown, name, [], "\n".join(failure.lines))
    if reply["type"] == "refused":
        return _Result(shown, name, [], reply["message"])
    return _Result(shown, name, reply["notes"], None)


def _tell(results: list[_Result]) -> None:
    for result in results:
        if result.error is not None:
            warn(result.error)
        else:
            say(t("Imported {name} from {file}.", name=result.name, file=result.file))
            warn(*result.notes)
    refused = sum(result.error is not None for result in results)
    if refused and len(results) > 1:
        said = n(
            "{count} of {all} files were refused; nothing of theirs was stored.",
            "{count} of {all} files were refused; nothing of theirs was stored.",
            refused,
            all=len(results),
        )
        warn(f"slopn: {said}")


def _document(results: list[_Result]) -> dict[str, list[dict[str, object]]]:
    return {
        "imported": [{"file": r.file, "name": r.name, "notes": r.notes} for r in results if r.error is None],
        "errors": [{"file": r.file, "message": r.error} for r in results if r.error is not None],
    }


def _name(file: str) -> str:
    path = PurePath(file)
    return path.stem if path.suffix.lower() == ".conf" else path.name


def _read(file: str, shown: str) -> bytes:
    try:
        if file == _STDIN:
            raw = sys.stdin.buffer.read(_MOST + 1)
        else:
            with open(file, "rb") as source:  # noqa: PTH123 - pathlib costs more to import than the rest of this verb
                raw = source.read(_MOST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _Bad(f"{shown}: {reason}") from None
    if len(raw) > _MOST:
        raise _Bad(f"{shown}:1:1: {t('found more than {most} bytes; a wg-quick file has at most {most}', most=_MOST)}")
    return raw


def _decode(raw: bytes, shown: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if raw.startswith(_UTF16):
            raise _Bad(f"{shown}:1:1: {t('found UTF-16 text; save the file as UTF-8')}") from None
        before = raw[: error.start].decode()
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        found = t("found byte {byte}; the file must be UTF-8", byte=f"0x{raw[error.start]:02x}")
        raise _Bad(f"{shown}:{line}:{column}: {found}") from None
