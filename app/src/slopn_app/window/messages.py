"""What page and window say to each other: the contract of app/ui/README.md, checked. Pure.

Everything from the page is a `Call`; what it may hold is here in full, and anything else is refused before it is looked at.
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from slopn_app.preferences import Preferences
from slopn_wire import codec, commands
from slopn_wire.logs import LogFilter

MOST = 24 << 20
"""Letters of one call; a picture never comes from the page, but the text of many profiles may."""
_TEXT = 16 << 20

PageCommand = (
    commands.Connect
    | commands.Disconnect
    | commands.Reconnect
    | commands.Pause
    | commands.Unlock
    | commands.ImportProfile
    | commands.CheckProfile
    | commands.CheckEnrolment
    | commands.Enrol
    | commands.RenewEnrolment
    | commands.ChangeProfile
    | commands.RenameProfile
    | commands.ExportProfile
    | commands.RemoveProfile
    | commands.ApplySettings
    | commands.GetSnapshot
    | commands.GetLogs
    | commands.GetPairings
    | commands.RenameDevice
    | commands.RevokeDevice
    | commands.GetUsers
    | commands.AddUser
    | commands.RemoveUser
    | commands.Diagnose
)
"""What the page may ask of the helper: all but what belongs to a connection, which is the window's."""


class Call(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the bridge's two functions is called. `id`: the page's, to find who waits for the answer."""

    id: Annotated[int, Meta(ge=0, le=2**53)]
    to: Literal["ask", "local"]
    text: Annotated[str, Meta(max_length=MOST)]


class Ready(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="ready"):
    """The page listens."""


class Hidden(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="hidden"):
    """Nobody looks."""


class FollowLogs(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="follow_logs"):
    """Push lines of the log, from what the page has on."""

    filter: LogFilter = LogFilter()
    after: Annotated[int, Meta(ge=0)] = 0
    epoch: Annotated[str, Meta(max_length=200)] = ""


class StopLogs(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="stop_logs"):
    """Push no more lines."""


class PickFiles(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="pick_files"):
    """Let the user choose files."""


class Save(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="save"):
    """Let the user choose where this text is kept."""

    name: Annotated[str, Meta(max_length=300)]
    text: Annotated[str, Meta(max_length=_TEXT)]


class Copy(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="copy"):
    """Put this into the clipboard."""

    text: Annotated[str, Meta(max_length=_TEXT)]


class GetPreferences(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="preferences"):
    """What the user prefers."""


class SetPreferences(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="set_preferences"):
    """Keep all of these."""

    preferences: Preferences


class BundlePreview(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="bundle_preview"):
    """What a problem report would hold."""


class SaveBundle(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="save_bundle"):
    """Save what was previewed."""


class StartHelper(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="start_helper"):
    """Ask the system to start the helper."""


class ConfirmPairing(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="confirm_pairing"):
    """The user repeats the number."""

    number: Annotated[str, Meta(pattern=r"^[0-9]{6}$")]


Local = (
    Ready
    | Hidden
    | FollowLogs
    | StopLogs
    | PickFiles
    | Save
    | Copy
    | GetPreferences
    | SetPreferences
    | BundlePreview
    | SaveBundle
    | StartHelper
    | ConfirmPairing
)
_commands: msgspec.json.Decoder[PageCommand] = codec.decoder(PageCommand)
_locals: msgspec.json.Decoder[Local] = msgspec.json.Decoder(Local)
_calls = msgspec.json.Decoder(Call)


class Invalid(Exception):
    """What the page said isn't in the contract; the message says why, for people."""


def call(text: str) -> Call:
    """What the page said. Raises `Invalid`."""
    if len(text) > MOST:
        raise Invalid(f"That is too much at once: {len(text)} letters.")
    found: Call = _decoded(_calls, text)
    return found


def command(text: str) -> PageCommand:
    """For the helper. Raises `Invalid`."""
    found: PageCommand = _decoded(_commands, text)
    return found


def local(text: str) -> Local:
    """For the window. Raises `Invalid`."""
    found: Local = _decoded(_locals, text)
    return found


def ok(value: Any) -> str:
    """An answer: structs, dictionaries and what is in them."""
    return _ascii({"ok": value})


def error(code: str, text: str) -> str:
    """An answer: a code for programs, sentences for people."""
    return _ascii({"error": {"code": code, "text": text}})


def answered(number: int, text: str) -> str:
    """An answer on its way to who waits for it."""
    return _ascii({"id": number, "text": text})


def pushed(batch: list[dict[str, Any]]) -> str:
    """Pushes on their way, oldest first."""
    return _ascii({"pushes": batch})


def picked(name: str, data: bytes) -> dict[str, str]:
    """A `PickedFile` of the contract."""
    return {"name": name, "data": base64.b64encode(data).decode()}


def _decoded(decoder: msgspec.json.Decoder[Any], text: str) -> Any:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as failure:
        raise Invalid(f"The window doesn't understand its page: {failure}") from None


def _ascii(value: Any) -> str:
    """JSON of ASCII alone: scripts with other letters have been lost on their way to the page."""
    plain = codec.encode(value)
    return plain.decode("ascii") if plain.isascii() else json.dumps(json.loads(plain), separators=(",", ":"))
