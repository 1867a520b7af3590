"""`slopn profiles [--names | --remove NAME]`."""

from __future__ import annotations

import argparse

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, say, table, warn
from slopn_app.cli.report import address
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.cli.documents import SnapshotDoc
    from slopn_app.cli.snapshot_documents import ProfileDoc

VERB = Verb(
    "list the profiles, or remove one",
    (
        Argument(("--names",), "print the names alone, one a line", {"action": "store_true"}),
        Argument(("--remove",), "forget the profile and its keys", {"metavar": "NAME"}, "profile"),
    ),
    "A star marks the one in use. What SloPN keeps of a file but never obeys is said below the table.",
    examples=(("slopn profiles", ""), ("slopn profiles --remove home", "")),
    see=("import", "export", "connect"),
)


def run(arguments: argparse.Namespace) -> int:
    """List or remove."""
    if arguments.names and arguments.remove is not None:
        raise Failure(Status.USAGE, t("--names and --remove don't go together."))
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
    _list(snapshot, names=arguments.names, as_json=arguments.json)
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
        warn(*(f"{profile['name']}: {note}" for profile in profiles for note in profile["notes"]))


def _row(profile: ProfileDoc, used: str | None) -> tuple[str, ...]:
    gateways = [address(peer["endpoint"]) for peer in profile["peers"] if peer["endpoint"] is not None]
    return (
        "*" if profile["name"] == used else "",
        profile["name"],
        ", ".join(gateways) or t("none"),
        ", ".join(profile["addresses"]),
        ", ".join(profile["dns"]["servers"]) or t("unchanged"),
    )
