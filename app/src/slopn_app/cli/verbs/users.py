"""`slopn users [add NAME | remove NAME]`."""

from __future__ import annotations

import argparse

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, say, table, warn
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t
from slopn_app.words import BASES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from slopn_app.cli.documents import UsersDoc

VERB = Verb(
    "list who may use SloPN on this computer, add or remove them",
    (
        Argument(("action",), "add or remove; left out: list", {"nargs": "?", "metavar": "ACTION"}, "add remove"),
        Argument(
            ("name",),
            "a user of this computer",
            {"nargs": "?", "metavar": "NAME"},
            {"add": "account", "remove": "user"},
        ),
        Argument(("--names",), "print the names alone that remove takes, one a line", {"action": "store_true"}),
    ),
    "Root may, members of the group slopn, whoever was added here and, with the setting local_user, whoever sits at\n"
    "this computer's screen. Adding and removing is for root alone and holds at once, without logging in again.",
    examples=(
        ("slopn users", "who may, and why"),
        ("sudo slopn users add alice", ""),
        ("slopn settings set local_user no", "sitting at the screen is no longer enough"),
    ),
    see=("devices", "settings"),
)


def run(arguments: argparse.Namespace) -> int:
    """List, add or remove."""
    action, name = arguments.action, arguments.name
    if action is None:
        return _list(names=arguments.names, as_json=arguments.json)
    if action not in {"add", "remove"} or not name or arguments.names:
        raise Failure(Status.USAGE, "Usage: slopn users [add NAME | remove NAME].")
    with Channel() as channel:
        notes = channel.do({"type": f"{action}_user", "name": name})["notes"]
    warn(*notes)
    if arguments.json:
        put_json({"added" if action == "add" else "removed": name, "notes": notes})
    elif action == "add":
        say(t("{name} may use SloPN from now on.", name=name))
    else:
        say(t("Removed {name}: the connections are closed.", name=name))
    return Status.DONE


def _list(*, names: bool, as_json: bool) -> int:
    with Channel() as channel:
        answer: Any = channel.ask({"type": "get_users"})
    users: UsersDoc = answer
    if as_json:
        put_json(users["users"])
    elif names:
        say(*(user["name"] for user in users["users"] if user["basis"] == "added"))
    else:
        rows = [(user["name"], str(user["uid"]), t(BASES.get(user["basis"], user["basis"]))) for user in users["users"]]
        say(*table([(t("USER"), "UID", t("WHY")), *rows]))
    return Status.DONE
