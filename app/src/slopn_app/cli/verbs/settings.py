"""`slopn settings [get [KEY] | set KEY VALUE]`."""

from __future__ import annotations

import argparse

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, say, table, warn
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from slopn_app.cli.snapshot_documents import SettingsDoc

SETTINGS = {
    "kill_switch": ("off on always", "on: closed while you want a tunnel and it isn't up; always: without one, too"),
    "allow_lan": ("yes no", "private networks stay reachable beside the tunnel"),
    "resolvers": ("default", "addresses, with commas between them, that are asked for the gateway's name"),
    "dns_mechanism": (
        "auto resolved networkmanager resolvconf resolv_conf",
        "how DNS is set on this computer; for support",
    ),
    "exclude": ("none", "networks, with commas between them, that are reached beside the tunnel"),
    "include": ("all", "networks, with commas between them, that alone go through the tunnel"),
    "local_user": ("yes no", "whoever sits at this computer's screen may use SloPN"),
    "portal_url": ("none", "a web page that is asked whether a captive portal answers instead, while connecting fails"),
    "log_level": ("debug info warning error critical", "what is logged, from this level up"),
    "log_addresses": ("yes no", "no: IP addresses and host names are blotted out of the log"),
}
"""Each with the words that it takes and what it means."""
KEYS = tuple(SETTINGS)
VERB = Verb(
    "show or change settings",
    (
        Argument(
            ("action",), "get (what is meant if left out) or set", {"nargs": "?", "metavar": "get|set"}, "get set"
        ),
        Argument(("key",), "one of the settings", {"nargs": "?", "metavar": "KEY"}, "setting"),
        Argument(
            ("value",),
            "its new value",
            {"nargs": "?", "metavar": "VALUE"},
            {key: values for key, (values, _) in SETTINGS.items()},
        ),
    ),
    "\n".join(
        line
        for key, (values, meaning) in SETTINGS.items()
        for line in (f"{key}: {', '.join(values.split())}", f"    {meaning}")
    ),
    examples=(
        ("slopn settings", ""),
        ("slopn settings set kill_switch always", "nothing leaves without a tunnel, not even after a restart"),
        ("slopn settings set resolvers 9.9.9.9,2620:fe::fe", ""),
    ),
    see=("status", "users", "logs"),
)
_YES = frozenset({"yes", "on", "true", "1"})
_NETWORKS = {"exclude": "none", "include": "all"}
"""Settings that are lists of networks, with the word for an empty one."""
_NO = frozenset({"no", "off", "false", "0"})

_MOST_TRIES = 100
"""Each lost one means that somebody else's change was carried out."""


def run(arguments: argparse.Namespace) -> int:
    """Show all settings or one, or change one."""
    if arguments.action == "set":
        return _set(arguments)
    if arguments.action in KEYS and arguments.key is None:
        arguments.action, arguments.key = "get", arguments.action
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
    value = _parsed(key, arguments.value)
    with Channel() as channel:
        notes = _change(channel, key, value)
    warn(*notes)
    if arguments.json:
        put_json({key: value})
    else:
        say(t("{key} is now {value}.", key=key, value=_shown(key, value)))
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
    raise Failure(Status.FAILED, t("Other programs keep changing the settings."))


def _key(text: str) -> str:
    key = text.replace("-", "_").lower()
    if key not in KEYS:
        raise Failure(
            Status.USAGE, t("There is no setting {name}; there are {names}.", name=repr(text), names=", ".join(KEYS))
        )
    return key


def _parsed(key: str, text: str) -> Any:
    """What the helper gets for `text`. Raises `Failure`."""
    allowed = SETTINGS[key][0].split()
    if key == "resolvers":
        return _resolvers(text)
    if key == "portal_url":
        return "" if text.lower() == "none" else text
    if key in _NETWORKS:
        return _networks(key, text)
    if allowed == ["yes", "no"]:
        return _word(key, text, (*sorted(_YES, reverse=True), *sorted(_NO, reverse=True))) in _YES
    word = _word(key, text, tuple(allowed))
    return None if word == "auto" else word


def _resolvers(text: str) -> list[str]:
    from ipaddress import ip_address

    if text.lower() in {"", "default"}:
        return []
    try:
        return [str(ip_address(part.strip())) for part in text.split(",")]
    except ValueError as error:
        raise Failure(
            Status.USAGE, t("resolvers takes IP addresses with commas between them, or default: {error}.", error=error)
        ) from None


def _networks(key: str, text: str) -> list[str]:
    from ipaddress import ip_network

    if text.lower() in {"", _NETWORKS[key]}:
        return []
    try:
        return [str(ip_network(part.strip(), strict=False)) for part in text.split(",")]
    except ValueError as error:
        said = t(
            "{key} takes networks such as 10.0.0.0/8 with commas between them, or {none}: {error}.",
            key=key,
            none=_NETWORKS[key],
            error=error,
        )
        raise Failure(Status.USAGE, said) from None


def _word(key: str, text: str, allowed: tuple[str, ...]) -> str:
    word = text.lower()
    if word not in allowed:
        said = t("{key} can't be {text}; it can be {words}.", key=key, text=repr(text), words=", ".join(allowed))
        raise Failure(Status.USAGE, said)
    return word


def _shown(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or _NETWORKS.get(key, "default")
    if key == "portal_url":
        return value or "none"
    return "auto" if key == "dns_mechanism" and value is None else str(value)
