"""`slopn settings [get [KEY] | set KEY VALUE]`."""

from __future__ import annotations

import argparse

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, say, table, warn
from slopn_app.cli.verb import Argument, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from slopn_app.cli.documents import SettingsDoc

KEYS = ("kill_switch", "allow_lan", "resolvers", "dns_mechanism")
VERB = Verb(
    "show or change settings",
    (
        Argument(
            ("action",), "get (what is meant if left out) or set", {"nargs": "?", "metavar": "get|set"}, "get set"
        ),
        Argument(("key",), f"one of {', '.join(KEYS)}", {"nargs": "?", "metavar": "KEY"}, "setting"),
        Argument(("value",), "its new value", {"nargs": "?", "metavar": "VALUE"}),
    ),
    "kill_switch    off, on (closed whenever you want to be connected and the tunnel isn't up) or always\n"
    "allow_lan      yes or no: private networks stay reachable beside the tunnel\n"
    "resolvers      addresses, with commas between them, that are asked for the gateway's name; default: the host's\n"
    "dns_mechanism  auto, resolved or resolv_conf",
)
_YES = frozenset({"yes", "on", "true", "1"})
_NO = frozenset({"no", "off", "false", "0"})

_MOST_TRIES = 100
"""Each lost one means that somebody else's change was carried out."""


def run(arguments: argparse.Namespace) -> int:
    """Show all settings or one, or change one."""
    if arguments.action == "set":
        return _set(arguments)
    if arguments.action not in {None, "get"} or arguments.value is not None:
        raise Failure(Status.USAGE, "Usage: slopn settings [get [KEY] | set KEY VALUE].")
    key = _key(arguments.key) if arguments.key is not None else None
    with Channel() as channel:
        settings: dict[str, Any] = {**channel.snapshot()["settings"]}
    if arguments.json:
        put_json(settings if key is None else settings[key])
    elif key is None:
        say(*table((name, _shown(name, value)) for name, value in settings.items()))
    else:
        say(_shown(key, settings[key]))
    return Status.DONE


def _set(arguments: argparse.Namespace) -> int:
    if arguments.key is None or arguments.value is None:
        raise Failure(Status.USAGE, "Usage: slopn settings set KEY VALUE.")
    key = _key(arguments.key)
    value = _PARSERS[key](arguments.value)
    with Channel() as channel:
        notes = _change(channel, key, value)
    warn(*notes)
    if arguments.json:
        put_json({key: value})
    else:
        say(f"{key} is now {_shown(key, value)}.")
    return Status.DONE


def _change(channel: Channel, key: str, value: Any) -> list[str]:
    """Change one and keep the others as they are, also those that somebody else is changing right now."""
    for _ in range(_MOST_TRIES):
        settings: SettingsDoc = channel.snapshot()["settings"]
        wanted = {**settings, key: value}
        reply = channel.attempt({"type": "apply_settings", "settings": wanted, "instead_of": settings})
        if reply["type"] == "done":
            return reply["notes"]
        if reply["kind"] == "invalid":
            raise Failure(Status.USAGE, *reply["message"].splitlines())
    raise Failure(Status.FAILED, "Other programs keep changing the settings.")


def _key(text: str) -> str:
    key = text.replace("-", "_").lower()
    if key not in KEYS:
        raise Failure(Status.USAGE, f"There is no setting {text!r}; there are {', '.join(KEYS)}.")
    return key


def _kill_switch(text: str) -> str:
    return _word("kill_switch", text, ("off", "on", "always"))


def _allow_lan(text: str) -> bool:
    return _word("allow_lan", text, (*sorted(_YES, reverse=True), *sorted(_NO, reverse=True))) in _YES


def _resolvers(text: str) -> list[str]:
    from ipaddress import ip_address

    if text.lower() in {"", "default"}:
        return []
    try:
        return [str(ip_address(part.strip())) for part in text.split(",")]
    except ValueError as error:
        raise Failure(
            Status.USAGE, f"resolvers takes IP addresses with commas between them, or default: {error}."
        ) from None


def _dns_mechanism(text: str) -> str | None:
    word = _word("dns_mechanism", text, ("auto", "resolved", "resolv_conf"))
    return None if word == "auto" else word


def _word(key: str, text: str, allowed: tuple[str, ...]) -> str:
    word = text.lower()
    if word not in allowed:
        raise Failure(Status.USAGE, f"{key} can't be {text!r}; it can be {', '.join(allowed)}.")
    return word


def _shown(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "default"
    return "auto" if key == "dns_mechanism" and value is None else str(value)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "kill_switch": _kill_switch,
    "allow_lan": _allow_lan,
    "resolvers": _resolvers,
    "dns_mechanism": _dns_mechanism,
}
