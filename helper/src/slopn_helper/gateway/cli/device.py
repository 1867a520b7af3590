"""`slopn-gateway device`: who may connect. What is changed here is in force at every gateway within a second."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from slopn_helper.gateway import cli, devices
from slopn_helper.gateway.cli import lengths, opened, output, plain
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.types import Device, Enrolled

HELP = "devices: list, show, add, rename, disable, enable, revoke, expire"
_ACTS = {
    "show": "all that is known of one",
    "rename": "call it something else",
    "disable": "let it connect no more, until it is enabled again",
    "enable": "let it connect again",
    "revoke": "shut it out for good; its addresses go to others",
    "expire": "set when its enrolment ends",
}


class DeviceShown(Struct, frozen=True):
    """A device for programs."""

    id: str
    name: str
    kind: str
    standing: str
    addresses: tuple[str, ...]
    created: float
    expires: float | None
    renewed: float | None
    revoked: float | None
    public_key: str
    changes_key: bool
    """It has announced its next key."""
    token: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="all of them, also those that ended and aren't forgotten yet")
    add = acts.add_parser("add", help="enrol a plain WireGuard program; its file is shown once and kept nowhere")
    plain.configure(add)
    parsers = {name: acts.add_parser(name, help=text) for name, text in _ACTS.items()}
    for each in parsers.values():
        each.add_argument("device", help="its id, or its name where one alone has it")
    parsers["rename"].add_argument("name", help="the new name")
    parsers["expire"].add_argument("length", help="from now: 15m, 12h, 7d, 4w; `never`, or `now` to end it for good")
    for each in (listing, parsers["show"]):
        each.add_argument("--json", action="store_true", help="for programs")
    for each in (listing, add, *parsers.values()):
        cli.add_paths(each)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    work: dict[str, Callable[[argparse.Namespace], Awaitable[int]]] = {
        "list": _list,
        "show": _show,
        "add": plain.add,
    }
    return asyncio.run(_awaited(work.get(arguments.act, _change)(arguments)))


def chosen(given: str, there: Sequence[Enrolled], now: float) -> Enrolled:
    """The device of this id or name. Of several of a name the one that hasn't ended. Raises `UsageError`."""
    if (by_id := next((each for each in there if each.device.id == given), None)) is not None:
        return by_id
    named = [each for each in there if each.device.name == given]
    ended = {devices.Standing.REVOKED, devices.Standing.EXPIRED}
    alive = [each for each in named if devices.standing(each.device, now) not in ended]
    for fits in (alive, named):
        if len(fits) == 1:
            return fits[0]
        if fits:
            ids = ", ".join(each.device.id for each in fits)
            raise cli.UsageError(f"{len(fits)} devices are called {given}: say which by its id ({ids}).")
    raise cli.UsageError(f"There is no device {given}: see `slopn-gateway device list`.")


def shown(each: Enrolled, now: float) -> DeviceShown:
    """A device as programs get it."""
    device = each.device
    return DeviceShown(
        id=device.id,
        name=device.name,
        kind=str(device.kind),
        standing=str(devices.standing(device, now)),
        addresses=tuple(str(lease.address) for lease in each.leases),
        created=device.created,
        expires=device.expires,
        renewed=device.renewed,
        revoked=device.revoked,
        public_key=plain.base64(device.public_key),
        changes_key=device.next_key is not None,
        token=None if device.token is None else device.token.hex()[:12],
    )


async def _awaited(work: Awaitable[int]) -> int:
    return await work


async def _list(arguments: argparse.Namespace) -> int:
    async with opened.registry(opened.settings(arguments)) as registry:
        rows = [shown(each, time.time()) for each in await registry.devices()]
    if arguments.json:
        output.put_json(rows)
    elif not rows:
        output.say("There is no device yet: `slopn-gateway token create` makes a link that enrols one.")
    else:
        head = ("ID", "STANDING", "KIND", "ADDRESSES", "EXPIRES", "NAME")
        cells = [(d.id, d.standing, d.kind, " ".join(d.addresses), output.moment(d.expires), d.name) for d in rows]
        output.say(*output.table(head, cells))
    return cli.DONE


async def _show(arguments: argparse.Namespace) -> int:
    now = time.time()
    async with opened.registry(opened.settings(arguments)) as registry:
        device = shown(chosen(arguments.device, await registry.devices(), now), now)
    if arguments.json:
        output.put_json(device)
        return cli.DONE
    lines = [
        ("Name", device.name),
        ("Id", device.id),
        ("Kind", device.kind),
        ("Standing", device.standing),
        ("Addresses", " ".join(device.addresses) or "none any more"),
        ("Enrolled", output.moment(device.created) + (f", by the token {device.token}" if device.token else "")),
        ("Renewed", output.moment(device.renewed)),
        ("Expires", output.moment(device.expires)),
        ("Public key", device.public_key + (", about to change" if device.changes_key else "")),
    ]
    output.say(*(f"{name + ':':<12}{value}" for name, value in lines))
    return cli.DONE


async def _change(arguments: argparse.Namespace) -> int:
    now = time.time()
    change, told = _meant(arguments, now)
    async with opened.registry(opened.settings(arguments)) as registry:
        device = chosen(arguments.device, await registry.devices(), now).device
        with opened.log(arguments).act(f"device.{arguments.act}", device.id) as act:
            act.tell(name=device.name)
            if arguments.act == "rename":
                act.tell(to=arguments.name)
            elif arguments.act == "expire":
                act.tell(to=arguments.length)
            await change(registry, device.id)
    output.say(told.format(name=device.name))
    return cli.DONE


def _meant(arguments: argparse.Namespace, now: float) -> tuple[Callable[[Registry, str], Awaitable[Device]], str]:
    """What is to be done with a device, and what is said of it then. Raises `UsageError`."""
    match arguments.act:
        case "rename":
            if (problem := devices.name_problem(arguments.name)) is not None:
                raise cli.UsageError(problem)
            return (lambda r, d: r.rename(d, arguments.name, now=now)), "{name} has its new name."
        case "disable":
            return (lambda r, d: r.set_disabled(d, disabled=True, now=now)), "{name} can't connect any more."
        case "enable":
            return (lambda r, d: r.set_disabled(d, disabled=False, now=now)), "{name} may connect."
        case "revoke":
            return (lambda r, d: r.revoke(d, now=now)), "{name} is shut out for good."
        case _:
            ends = arguments.length.strip().lower() == "now"
            length = 0.0 if ends else lengths.seconds_or_never(arguments.length)
            expires = None if length is None else now + length
            told = "{name}'s enrolment is over." if ends else f"{{name}}'s enrolment ends: {output.moment(expires)}."
            return (lambda r, d: r.set_expiry(d, now=now, expires=expires)), told
