"""`slopn profiles [NAME [--post-quantum WHEN] [--mtu SIZE] | --names | --remove NAME]`."""

from __future__ import annotations

import argparse

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import day, put_json, say, table, warn
from slopn_app.cli.report import address
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.cli.documents import SnapshotDoc
    from slopn_app.cli.snapshot_documents import ProfileDoc

_AUTO = 0


VERB = Verb(
    "list the profiles, change or remove one",
    (
        Argument(("name",), "the one that is meant; left out: all", {"nargs": "?", "metavar": "NAME"}, "profile"),
        Argument(
            ("--post-quantum",),
            "agree preshared keys by ML-KEM with the gateway: %(choices)s; of an enrolled profile",
            {"choices": ("off", "on", "demand"), "metavar": "WHEN"},
            "off on demand",
        ),
        Argument(
            ("--mtu",),
            "the longest packet in the tunnel: `auto`, as the path is found to be, or a number of bytes",
            {"metavar": "SIZE"},
            "auto",
        ),
        Argument(("--names",), "print the names alone, one a line", {"action": "store_true"}),
        Argument(("--remove",), "forget the profile and its keys", {"metavar": "NAME"}, "profile"),
    ),
    "A star marks the one in use. What SloPN keeps of a file but never obeys is said below the table.\n"
    "With `demand` nothing passes until a post-quantum key is agreed; with `on` the tunnel works meanwhile.",
    examples=(
        ("slopn profiles", ""),
        ("slopn profiles home --post-quantum demand", "let nothing pass without a post-quantum key"),
        ("slopn profiles home --mtu 1380", "packets of this size, whatever the path carries"),
        ("slopn profiles --remove home", ""),
    ),
    see=("import", "export", "connect"),
)


def run(arguments: argparse.Namespace) -> int:
    """List or remove."""
    if arguments.names and arguments.remove is not None:
        raise Failure(Status.USAGE, t("--names and --remove don't go together."))
    if arguments.name is not None and (arguments.names or arguments.remove is not None):
        raise Failure(Status.USAGE, t("NAME goes with --post-quantum and --mtu alone."))
    changes = arguments.post_quantum is not None or arguments.mtu is not None
    if changes and arguments.name is None:
        raise Failure(Status.USAGE, t("Say which profile: `slopn profiles NAME --mtu SIZE`, for example."))
    if changes:
        return _change(arguments)
    with Channel() as channel:
        if arguments.remove is not None:
            notes = channel.do({"type": "remove_profile", "name": arguments.remove})["notes"]
            warn(*notes)
            if arguments.json:
                put_json({"removed": arguments.remove, "notes": notes})
            else:
                say(t("Removed {name}.", name=arguments.remove))
            return Status.DONE
        snapshot = channel.snapshot()
    if arguments.name is not None:
        snapshot["profiles"] = [profile for profile in snapshot["profiles"] if profile["name"] == arguments.name]
        if not snapshot["profiles"]:
            raise Failure(Status.USAGE, t("There is no profile “{name}”.", name=arguments.name))
    _list(snapshot, names=arguments.names, as_json=arguments.json)
    return Status.DONE


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return _AUTO if text == "auto" else int(text)
    except ValueError:
        why = t("The MTU is `auto` or a number of bytes; {text} is neither.", text=repr(text))
        raise Failure(Status.USAGE, why) from None


def _change(arguments: argparse.Namespace) -> int:
    name, wanted, mtu = arguments.name, arguments.post_quantum, _size(arguments.mtu)
    asked = {"post_quantum": wanted, "mtu": mtu}
    given = {key: value for key, value in asked.items() if value is not None}
    with Channel() as channel:
        done = channel.do({"type": "change_profile", "name": name, **given})
    warn(*done["notes"])
    if arguments.json:
        told = {key: None if key == "mtu" and value == _AUTO else value for key, value in given.items()}
        put_json({"changed": name, **told, "notes": done["notes"]})
        return Status.DONE
    if wanted is not None:
        say(t("Post-quantum keys of {name}: {wanted}.", name=name, wanted=wanted))
    if mtu is not None:
        size = t("as the path is found to be") if mtu == _AUTO else str(mtu)
        say(t("MTU of {name}: {size}.", name=name, size=size))
    return Status.DONE


def _list(snapshot: SnapshotDoc, *, names: bool, as_json: bool) -> None:
    profiles = snapshot["profiles"]
    if as_json:
        put_json([profile["name"] for profile in profiles] if names else profiles)
    elif names:
        say(*(profile["name"] for profile in profiles))
    elif not profiles:
        say(t("There is no profile yet. `slopn import FILE` stores one."))
    else:
        used = None if snapshot["state"]["type"] == "disconnected" else snapshot["state"]["profile"]
        head = (" ", t("NAME"), t("GATEWAY"), t("ADDRESSES"), "DNS")
        say(*table([head, *(_row(profile, used) for profile in profiles)]))
        warn(*(f"{profile['name']}: {note}" for profile in profiles for note in _notes(profile)))


def _notes(profile: ProfileDoc) -> list[str]:
    notes = list(profile["notes"])
    if profile["mtu"] is not None:
        notes.append(t("the MTU is fixed: {mtu}", mtu=profile["mtu"]))
    enrolment = profile["enrolment"]
    if enrolment is None or enrolment["expires"] is None:
        return notes
    return [*notes, t("enrolled until {day}, and renewed before that", day=day(enrolment["expires"]))]


def _row(profile: ProfileDoc, used: str | None) -> tuple[str, ...]:
    gateways = [address(peer["endpoint"]) for peer in profile["peers"] if peer["endpoint"] is not None]
    return (
        "*" if profile["name"] == used else "",
        profile["name"],
        ", ".join(gateways) or t("none"),
        ", ".join(profile["addresses"]),
        ", ".join(profile["dns"]["servers"]) or t("unchanged"),
    )
