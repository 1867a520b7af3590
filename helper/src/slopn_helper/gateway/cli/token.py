"""`slopn-gateway token`: leave to enrol, as a link and a QR code."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from slopn_helper.files import write_file
from slopn_helper.gateway import cli, tokens
from slopn_helper.gateway.cli import lengths, opened, output
from slopn_helper.gateway.types import Token
from slopn_wire.enrolment import EnrolmentLink, make_link

HELP = "leave to enrol devices: create, list, revoke"
SHOWN = 12
"""Characters of a token's hash that name it in lists; `revoke` takes them."""


class TokenShown(Struct, frozen=True):
    """A token in a list."""

    id: str
    label: str
    uses: int
    left: int
    created: float
    expires: float
    revoked: float | None
    state: str
    """`good`, or why it isn't taken: `expired`, `revoked`, `spent`."""


class TokenMade(Struct, frozen=True):
    """A fresh token, the only time that its link is shown."""

    id: str
    link: str
    uses: int
    expires: float


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    create = acts.add_parser("create", help="make one, and show its link and QR code this once")
    create.add_argument("--uses", type=int, default=1, metavar="N", help="how many devices it enrols (default: 1)")
    create.add_argument("--expires", default="1d", metavar="LENGTH", help="15m, 12h, 7d, 4w (default: 1d)")
    create.add_argument("--label", default="", help="what it is for; shown in lists alone")
    create.add_argument("--svg", type=Path, metavar="FILE", help="write the QR code into this file (0600)")
    create.add_argument("--no-qr", action="store_true", help="print the link alone")
    listing = acts.add_parser("list", help="all of them; their secrets are kept nowhere")
    revoke = acts.add_parser("revoke", help="let one enrol nobody any more; its devices stay")
    revoke.add_argument("id", help="as `list` shows it")
    for each in (create, listing):
        each.add_argument("--json", action="store_true", help="for programs")
    for each in (create, listing, revoke):
        cli.add_paths(each)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    return asyncio.run({"create": _create, "list": _list, "revoke": _revoke}[arguments.act](arguments))


def chosen(given: str, there: Sequence[Token]) -> Token:
    """The token whose hash begins with `given`. Raises `UsageError` unless it is one alone."""
    text = given.strip().lower()
    fits = [token for token in there if text and token.hash.hex().startswith(text)]
    if len(fits) != 1:
        raise cli.UsageError(
            f"There is no token {given}: see `slopn-gateway token list`."
            if not fits
            else f"{len(fits)} tokens begin with {given}: give more of its id."
        )
    return fits[0]


def shown(token: Token, now: float) -> TokenShown:
    """A token as lists have it."""
    why = tokens.judge(token, now)
    return TokenShown(
        id=token.hash.hex()[:SHOWN],
        label=token.label,
        uses=token.uses,
        left=token.left,
        created=token.created,
        expires=token.expires,
        revoked=token.revoked,
        state="good" if why is None else str(why),
    )


async def _create(arguments: argparse.Namespace) -> int:
    config = opened.settings(arguments)
    lifetime = lengths.seconds(arguments.expires)
    pin = opened.identity(config, cli.paths(arguments)).pin
    try:
        secret, token = tokens.make(
            os.urandom, arguments.label, uses=arguments.uses, now=time.time(), lifetime=lifetime
        )
    except ValueError as error:
        raise cli.UsageError(str(error)) from None
    link = EnrolmentLink(config.wireguard.endpoint, config.enrolment.port, pin, secret)
    name = token.hash.hex()[:SHOWN]
    with opened.log(arguments).act("token.create", name) as act:
        act.tell(label=token.label, uses=token.uses, expires=token.expires)
        async with opened.registry(config) as registry:
            await registry.add_token(token)
    if arguments.svg is not None:
        write_file(arguments.svg, tokens.qr_svg(link).encode())
    if arguments.json:
        output.put_json(TokenMade(name, make_link(link), token.uses, token.expires))
        return cli.DONE
    if not arguments.no_qr and arguments.svg is None:
        output.put(tokens.qr_terminal(link))
    output.put(f"{make_link(link)}\n")
    devices = "one device" if token.uses == 1 else f"{token.uses} devices"
    output.say(f"It enrols {devices} until {output.moment(token.expires)}, and isn't shown again: `slopn enrol LINK`.")
    return cli.DONE


async def _list(arguments: argparse.Namespace) -> int:
    async with opened.registry(opened.settings(arguments)) as registry:
        found = await registry.tokens()
    rows = [shown(token, time.time()) for token in found]
    if arguments.json:
        output.put_json(rows)
    elif not rows:
        output.say("There is no token: `slopn-gateway token create` makes one.")
    else:
        head = ("ID", "STATE", "LEFT", "EXPIRES", "LABEL")
        output.say(
            *output.table(
                head, [(t.id, t.state, f"{t.left}/{t.uses}", output.moment(t.expires), t.label) for t in rows]
            )
        )
    return cli.DONE


async def _revoke(arguments: argparse.Namespace) -> int:
    async with opened.registry(opened.settings(arguments)) as registry:
        token = chosen(arguments.id, await registry.tokens())
        name = token.hash.hex()[:SHOWN]
        if token.revoked is not None:
            output.say(f"The token {name} is revoked already.")
            return cli.DONE
        with opened.log(arguments).act("token.revoke", name) as act:
            act.tell(label=token.label)
            await registry.revoke_token(token.hash, now=time.time())
    output.say(f"The token {name} enrols nobody any more. Its devices stay: see `slopn-gateway device list`.")
    return cli.DONE
