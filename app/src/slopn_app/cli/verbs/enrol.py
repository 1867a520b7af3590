"""`slopn enrol LINK [--name NAME] [--replace] [--yes]`, `--renew PROFILE`, `--rotate PROFILE`."""

from __future__ import annotations

import argparse
import sys

from slopn_app.cli.ask import agreed, answer, asks
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import day, put_json, say, warn
from slopn_app.cli.report import address
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from slopn_app.cli.documents import EnrolledDoc, LinkHoldsDoc
    from slopn_app.cli.snapshot_documents import ProfileDoc

VERB = Verb(
    "enrol this computer at a gateway by a link, or renew its place there",
    (
        Argument(("link",), "the link you were given; - reads stdin", {"nargs": "?", "metavar": "LINK"}),
        Argument(("--name",), "the profile's name; left out: the gateway's", {"metavar": "NAME"}),
        Argument(("--replace",), "overwrite a profile of that name", {"action": "store_true"}),
        Argument(("--yes",), "don't ask", {"action": "store_true"}),
        Argument(("--renew",), "ask the gateway now what has changed", {"metavar": "PROFILE"}, "profile"),
        Argument(("--rotate",), "change this device's key as well", {"metavar": "PROFILE"}, "profile"),
    ),
    "It shows where the link leads and asks, before anything is sent there.\n"
    "A link is good for one device, and whoever has it is let in: while it stands on a command line, other users\n"
    "of this computer can read it there. `slopn enrol -` takes it from stdin, where they can't.",
    examples=(
        ("slopn enrol - --yes < link.txt", "in a script"),
        ("slopn enrol --renew office", "is done in time by itself"),
        ("slopn enrol --rotate office", "another key, without a gap"),
    ),
    see=("profiles", "connect", "import"),
)
_LONGEST = 4096
"""Characters that are read of stdin; a link has 512 at most."""
_STDIN = "-"


def run(arguments: argparse.Namespace) -> int:
    """Enrol, renew or rotate. Status 1 if the user would rather not."""
    chosen = [one for one in (arguments.link, arguments.renew, arguments.rotate) if one is not None]
    if len(chosen) != 1:
        raise Failure(Status.USAGE, t("Give a link, or one of --renew and --rotate with a profile."))
    with Channel() as channel:
        if arguments.link is None:
            command = {"type": "renew_enrolment", "profile": chosen[0], "rotate": arguments.rotate is not None}
            profile = _enrolled(channel, command)
            said = t("Renewed {name}.", name=profile["name"])
            if arguments.rotate is not None:
                said = t("{name} has another key from the next connection on.", name=profile["name"])
        else:
            profile = _enrol(channel, _link(arguments.link), arguments)
            said = t("Enrolled {name}.", name=profile["name"])
    if arguments.json:
        put_json({"profile": profile})
    else:
        say(said, *holds(profile))
    return Status.DONE


def holds(profile: ProfileDoc) -> list[str]:
    """What an enrolled profile holds, a line each."""
    enrolment = profile["enrolment"]
    lines = [
        t("Addresses: {addresses}", addresses=", ".join(profile["addresses"])),
        t("DNS: {servers}", servers=", ".join(profile["dns"]["servers"]) or t("unchanged")),
    ]
    if enrolment is not None:
        gateways = ", ".join(address(gateway["endpoint"]) for gateway in enrolment["gateways"])
        lines.append(t("Gateways: {gateways}", gateways=gateways))
        expires = enrolment["expires"]
        if expires is not None:
            lines.append(t("Until: {day}; SloPN renews it before that.", day=day(expires)))
    return lines


def _enrol(channel: Channel, link: str, arguments: argparse.Namespace) -> ProfileDoc:
    found: LinkHoldsDoc = channel.ask({"type": "check_enrolment", "link": link}, "link_holds")  # type: ignore[assignment]
    if not arguments.yes:
        name = arguments.name or found["name"]
        warn(
            t("This link leads to {where}.", where=address({"host": found["host"], "port": found["port"]})),
            t("Its key must be this one: {pin}", pin=grouped(found["pin"])),
        )
        if not agreed(t("Enrol this computer there, as profile {name}?", name=name), "slopn enrol --yes LINK"):
            raise Failure(Status.FAILED, t("Nothing was sent, and nothing changed."))
    command = {"type": "enrol", "link": link, "name": arguments.name, "replace": arguments.replace}
    return _enrolled(channel, command)


def _enrolled(channel: Channel, command: dict[str, Any]) -> ProfileDoc:
    done: EnrolledDoc = channel.ask(command, "enrolled")  # type: ignore[assignment]
    return done["profile"]


def grouped(pin: str) -> str:
    """A pin in groups of four, as people compare them."""
    return " ".join(pin[at : at + 4] for at in range(0, len(pin), 4))


def _link(given: str) -> str:
    if given != _STDIN:
        return given
    return answer(t("Link: ")) if asks() else sys.stdin.readline(_LONGEST).strip()
