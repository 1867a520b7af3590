"""`slopn devices [rename ID NAME | revoke ID…]`."""

from __future__ import annotations

import argparse
import time

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import ago, clock, day, put_json, say, table, warn
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from slopn_app.cli.documents import PairingsDoc, SnapshotDoc
    from slopn_app.cli.snapshot_documents import DeviceDoc

SHORTEST = 4
"""Characters of an id that are shown at least."""
_USAGE = "Usage: slopn devices [rename ID NAME | revoke ID…]."
VERB = Verb(
    "list the front ends that are paired, rename or revoke them",
    (
        Argument(("action",), "rename or revoke; left out: list", {"nargs": "?", "metavar": "ACTION"}, "rename revoke"),
        Argument(("device",), "the device that is meant", {"nargs": "?", "metavar": "ID"}, "device"),
        Argument(
            ("more",),
            "rename: its new name; revoke: further devices",
            {"nargs": "*", "metavar": "WORD"},
            {"revoke": "device"},
        ),
        Argument(("--names",), "print id and name alone, with a tab between them", {"action": "store_true"}),
    ),
    "A device is a program of one user that holds a key of its own. ID is an id, its beginning, or a name, as\n"
    "long as only one device is meant. Revoking ends a device's connections at once; it can be paired again.\n"
    "Who waits to be paired is listed with the number that must be repeated there.",
    examples=(
        ("slopn devices", "who is paired, who waits and with which number"),
        ("slopn devices rename 3f2a laptop-script", ""),
        ("slopn devices revoke 3f2a", "it can do nothing any more, from now on"),
    ),
    see=("pair", "users"),
)


def run(arguments: argparse.Namespace) -> int:
    """List, rename or revoke."""
    words: list[str] = [*([] if arguments.device is None else [arguments.device]), *arguments.more]
    match arguments.action:
        case None if not words:
            return _list(names=arguments.names, as_json=arguments.json)
        case "rename" if len(words) == 2 and not arguments.names:
            return _rename(*words, as_json=arguments.json)
        case "revoke" if words and not arguments.names:
            return _revoke(words, as_json=arguments.json)
    raise Failure(Status.USAGE, _USAGE)


def meant(text: str, devices: Sequence[DeviceDoc]) -> DeviceDoc:
    """The one device that `text` names: by id, the beginning of an id, or name. Raises `Failure`."""
    if exact := [device for device in devices if device["id"] == text]:
        return exact[0]
    found = [device for device in devices if text and device["id"].startswith(text.lower())]
    found += [device for device in devices if device["name"].casefold() == text.casefold() and device not in found]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failure(
            Status.USAGE, t("There is no device {name}.", name=repr(text)), t("`slopn devices` lists them all.")
        )
    short = abbreviated([device["id"] for device in devices])
    raise Failure(
        Status.USAGE,
        t("{name} may be one of {count} devices; use an id.", name=repr(text), count=len(found)),
        *(f"{short[device['id']]}  {_named(device)}" for device in found),
    )


def abbreviated(ids: Sequence[str]) -> dict[str, str]:
    """Each id's beginning that no other one shares."""
    length = SHORTEST
    while len({found[:length] for found in ids}) < len(set(ids)):
        length += 1
    return {found: found[:length] for found in ids}


def _list(*, names: bool, as_json: bool) -> int:
    with Channel() as channel:
        snapshot = channel.snapshot()
        waiting = _waiting(channel, snapshot)
    if as_json:
        put_json({"devices": snapshot["devices"], "waiting": waiting})
    elif names:
        say(*(f"{device['id']}\t{device['name']}" for device in snapshot["devices"]))
    else:
        now = time.time()
        _tell_devices(snapshot["devices"], now)
        _tell_waiting(waiting, now)
    return Status.DONE


def _waiting(channel: Channel, snapshot: SnapshotDoc) -> list[dict[str, Any]]:
    """Who waits; with the numbers, if this front end may see them."""
    try:
        answer: Any = channel.ask({"type": "get_pairings"})
    except Failure as failure:
        if failure.status is not Status.NOT_PERMITTED:
            raise
        return [{"pairing": pairing, "number": None} for pairing in snapshot["pairings"]]
    pairings: PairingsDoc = answer
    return [{**found} for found in pairings["pairings"]]


def _tell_devices(devices: Sequence[DeviceDoc], now: float) -> None:
    if not devices:
        say(t("No front end is paired yet. `slopn pair` pairs this one."))
        return
    short = abbreviated([device["id"] for device in devices])
    rows = [("ID", t("NAME"), t("USER"), t("MAY"), t("PAIRED"), t("EXPIRES"), t("LAST SEEN"))]
    rows += [
        (
            short[device["id"]],
            device["name"],
            device["user"],
            ", ".join(device["rights"]) or t("nothing"),
            day(device["created"]),
            t("expired") if device["expires"] <= now else day(device["expires"]),
            t("never") if device["last_seen"] is None else day(device["last_seen"]),
        )
        for device in devices
    ]
    say(*table(rows))


def _tell_waiting(waiting: list[dict[str, Any]], now: float) -> None:
    if not waiting:
        return
    rows = [(t("NUMBER"), t("WAITS TO BE PAIRED"), t("USER"), t("PROGRAM"), t("WANTS TO"), t("UNTIL"))]
    rows += [
        (
            found["number"] or t("hidden"),
            found["pairing"]["name"],
            found["pairing"]["user"],
            found["pairing"]["program"] or t("unknown"),
            ", ".join(found["pairing"]["rights"]),
            f"{clock(found['pairing']['expires'], now)} ({ago(found['pairing']['expires'] - now)})",
        )
        for found in waiting
    ]
    say("", *table(rows))
    if all(found["number"] for found in waiting):
        warn(t("Repeat a number only where you started the pairing yourself, just now."))
    else:
        warn(t("The numbers are for front ends that may configure, and in the service's own log (`journalctl`)."))


def _rename(text: str, name: str, *, as_json: bool) -> int:
    with Channel() as channel:
        device = meant(text, channel.snapshot()["devices"])
        notes = channel.do({"type": "rename_device", "device": device["id"], "name": name})["notes"]
    warn(*notes)
    if as_json:
        put_json({"device": device["id"], "name": name, "notes": notes})
    else:
        say(t("{old} is now called {new}.", old=device["name"], new=name))
    return Status.DONE


def _revoke(texts: list[str], *, as_json: bool) -> int:
    with Channel() as channel:
        devices = channel.snapshot()["devices"]
        # All are looked up before the first is revoked: a slip of the pen ends nothing.
        chosen = {device["id"]: device for device in (meant(text, devices) for text in texts)}
        # Its own goes last, since nothing can be asked after that.
        own = _own() if len(chosen) > 1 else None
        notes = []
        for device in sorted(chosen, key=lambda found: found == own):
            notes += channel.do({"type": "revoke_device", "device": device})["notes"]
    warn(*notes)
    if as_json:
        put_json({"revoked": list(chosen), "notes": notes})
    else:
        say(*(t("Revoked {device}.", device=_named(device)) for device in chosen.values()))
    return Status.DONE


def _named(device: DeviceDoc) -> str:
    return t("{name} of {user}", name=device["name"], user=device["user"])


def _own() -> str | None:
    from slopn_app.cli.chosen import ChosenPairing
    from slopn_app.trouble import Trouble

    try:
        return ChosenPairing(None, ()).device()
    except Trouble:
        return None
