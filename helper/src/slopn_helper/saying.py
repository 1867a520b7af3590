"""A command in one line of the log. Pure; never a profile's text or an enrolment link, which have secrets in them."""

from __future__ import annotations

import msgspec

from slopn_wire.commands import (
    ApplySettings,
    CheckProfile,
    Command,
    Connect,
    Enrol,
    ExportProfile,
    ImportProfile,
    Pause,
    RemoveProfile,
    RenameProfile,
    RenewEnrolment,
)
from slopn_wire.settings import Settings

_SHOWN = 100
"""Characters of a name that nobody has checked yet."""


def told(command: Command, now: Settings) -> str:
    """For people who read the log. `now`: the settings that hold."""
    kind = type(command).__name__
    match command:
        case Connect(profile=str() as name) | ImportProfile(name=name) | ExportProfile(name=name):
            return f"{kind} {name[:_SHOWN]!r}"
        case RemoveProfile(name=name) | CheckProfile(name=name):
            return f"{kind} {name[:_SHOWN]!r}"
        case Enrol(name=str() as name) | RenewEnrolment(profile=name):
            return f"{kind} {name[:_SHOWN]!r}"
        case RenameProfile(name=name, to=to):
            return f"{kind} {name[:_SHOWN]!r} to {to[:_SHOWN]!r}"
        case Pause(seconds=seconds):
            return f"{kind} for {seconds} s"
        case ApplySettings(settings=settings):
            old = msgspec.structs.asdict(now)
            changed = {key: value for key, value in msgspec.structs.asdict(settings).items() if value != old[key]}
            return f"{kind} {', '.join(f'{key}={value!s}' for key, value in changed.items()) or 'as they are'}"
        case _:
            return kind
