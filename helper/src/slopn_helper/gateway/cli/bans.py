"""`slopn-gateway bans`: who is kept out, by the gateway or by Fail2Ban; seen, added and lifted in one place."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from slopn_helper.gateway import cli
from slopn_helper.gateway.bans import Ban
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.gateway.bans.fail2ban import Fail2Ban
from slopn_helper.gateway.bans.sources import parse, shown
from slopn_helper.gateway.bans.view import BansView
from slopn_helper.gateway.cli import lengths, opened, output
from slopn_helper.host.firewall.libnft import Nft
from slopn_wire.profile import IPNetwork

HELP = "who is kept out: list, add, lift"


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="all bans in force, the gateway's and Fail2Ban's")
    listing.add_argument("--json", action="store_true", help="for programs")
    add = acts.add_parser("add", help="keep somebody out")
    add.add_argument("source", help="an IPv4 address, or an IPv6 address or /64")
    add.add_argument("--for", dest="length", default="1d", metavar="LENGTH", help="15m, 12h, 7d (default: 1d) or never")
    lift = acts.add_parser("lift", help="let somebody in again, whoever has banned")
    lift.add_argument("source", help="as `list` shows it")
    for each in (listing, add, lift):
        cli.add_paths(each)


def run(arguments: argparse.Namespace, view: Callable[[], BansView] | None = None) -> int:
    """Do it. `view`: for tests."""
    made = (view or _view)()
    if arguments.act == "list":
        return _list(arguments, made)
    source = _source(arguments.source)
    return _add(arguments, made, source) if arguments.act == "add" else _lift(arguments, made, source)


def _view() -> BansView:
    return BansView(Edge(Nft()), Fail2Ban(), time.time)


def _source(text: str) -> IPNetwork:
    try:
        return parse(text)
    except ValueError as error:
        raise cli.UsageError(f"{error}.") from None


def _list(arguments: argparse.Namespace, view: BansView) -> int:
    found = view.list()
    if arguments.json:
        output.put_json(found)
    elif not found.bans:
        output.say("Nobody is kept out." if not found.problems else "No ban was found.")
    else:
        head = ("SOURCE", "BY", "WHY", "SINCE", "UNTIL", "FAILURES")
        output.say(*output.table(head, map(_row, found.bans)))
    if not arguments.json:
        output.say(*(f"There may be more: {problem}." for problem in found.problems))
    return cli.FAILED if found.problems else cli.DONE


def _row(ban: Ban) -> tuple[str, ...]:
    failures = "" if ban.failures is None else str(ban.failures)
    until = output.moment(ban.until, "lifted")
    return shown(ban.source), str(ban.by), str(ban.why), output.moment(ban.since), until, failures


def _add(arguments: argparse.Namespace, view: BansView, source: IPNetwork) -> int:
    seconds = lengths.seconds_or_never(arguments.length)
    with opened.log(arguments).act("ban.add", shown(source)) as act:
        act.tell(length=arguments.length)
        try:
            ban = view.add(source, seconds)
        except ValueError as error:
            raise cli.UsageError(f"{error}: it is never kept out.") from None
    output.say(f"{shown(source)} is kept out until {output.moment(ban.until, 'somebody lifts it')}.")
    return cli.DONE


def _lift(arguments: argparse.Namespace, view: BansView, source: IPNetwork) -> int:
    with opened.log(arguments).act("ban.lift", shown(source)) as act:
        lifted = view.lift(source)
        act.tell(by=" ".join(map(str, lifted.by)))
        if lifted.problems:
            raise cli.CliError(f"{shown(source)} may still be kept out: {'; '.join(lifted.problems)}.")
    if lifted.by:
        output.say(f"{shown(source)} is let in again; it was kept out by {' and '.join(map(str, lifted.by))}.")
    else:
        output.say(f"{shown(source)} wasn't kept out.")
    return cli.DONE
