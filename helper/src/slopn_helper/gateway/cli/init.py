"""`slopn-gateway init`: from nothing to a running gateway, and again without harm."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from slopn_helper.files import make_directory, write_file
from slopn_helper.gateway import certificate, choices, cli, config, config_file, installed, keys, names, setup
from slopn_helper.gateway.choices import Choices, WrongChoice
from slopn_helper.gateway.cli import opened, output, questions
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.installed import Installed
from slopn_helper.gateway.machine import Machine
from slopn_helper.gateway.paths import Paths
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.registry.errors import Unavailable, WrongSchema
from slopn_helper.gateway.setup import Step
from slopn_helper.gateway.types import Pool
from slopn_helper.gateway.withdraw import withdraw
from slopn_helper.store.lock import StateLock, StateLocked

HELP = "make this server a gateway, or bring it up to date; a second time changes nothing"
LOCK = "init.lock"
"""The file's name in the state directory: one `init` at a time; a running gateway has a lock of its own."""
BEFORE = ".before"
"""Added to the name of the settings' file that was replaced."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--endpoint", metavar="HOST", help="name or address by which clients reach this server")
    parser.add_argument("--port", type=int, metavar="N", help="UDP port of WireGuard (default: 51820)")
    parser.add_argument("--https-port", type=int, metavar="N", help="TCP port of enrolment (default: 8443)")
    parser.add_argument("--ipv4", action="append", metavar="NET", help="addresses for devices (default: made up)")
    parser.add_argument("--ipv6", action="append", metavar="NET", help="likewise")
    parser.add_argument(
        "--dns", action="append", metavar="IP", help="resolvers for devices; `own`: this gateway's (default)"
    )
    parser.add_argument("--database", metavar="URL", help="postgresql://… for several gateways (default: a file here)")
    parser.add_argument("--allow", action="append", metavar="NET", help="never banned: where you administer from")
    parser.add_argument("--yes", action="store_true", help="ask nothing, take what is usual")
    parser.add_argument("--overwrite", action="store_true", help="change settings that are there, without asking")
    parser.add_argument("--no-start", action="store_true", help="settings, keys and registry alone; no unit, no DNS")
    parser.add_argument("--remove", action="store_true", help="stop it and undo this set-up; keys and devices stay")


def run(arguments: argparse.Namespace, machine: Machine | None = None) -> int:
    """Do it. `machine`: for tests."""
    return asyncio.run(_run(arguments, machine or Machine()))


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """Raises `CliError` while another `init` is at work there."""
    make_directory(paths.state)
    lock = StateLock(paths.state / LOCK)
    try:
        lock.acquire()
    except StateLocked as error:
        raise cli.CliError(f"{error}: another `slopn-gateway init` is at work there. Nothing was changed.") from None
    try:
        yield
    finally:
        lock.release()


async def _run(arguments: argparse.Namespace, machine: Machine) -> int:
    paths = cli.paths(arguments)
    notes = Installed(paths.state / installed.NAME)
    if arguments.remove:
        with _alone(paths), opened.log(arguments).act("init.remove"):
            done = [_told(step) async for step in _removal(machine, notes, paths)]
        output.say("The gateway is removed." if any(s.changed for s in done) else "There was nothing to remove.")
        output.say(f"Its settings are still in {paths.config}, keys and devices in {paths.state}.")
        return cli.DONE
    before = config_file.load(paths.config) if paths.config.exists() else None
    try:
        wanted = await _wanted(arguments, paths, before)
    except WrongChoice as error:
        raise cli.UsageError(str(error)) from None
    if not arguments.no_start:
        _need_name_server(wanted, machine)
    if before is not None and wanted != before:
        _may_change(arguments, before, wanted)
    with _alone(paths), opened.log(arguments).act("init", wanted.wireguard.endpoint) as act:
        act.tell(changed=", ".join(choices.differences(before, wanted)) if before else "new")
        steps = [_told(step) async for step in _steps(arguments, machine, notes, paths, wanted, before)]
    if not any(step.changed for step in steps):
        output.say("Everything was as it should be: nothing was changed.")
    output.say(
        "Next: `slopn-gateway token create` makes a link that enrols a device; `slopn-gateway doctor` checks this server."
    )
    return cli.DONE if all(step.good for step in steps) else cli.FAILED


async def _wanted(arguments: argparse.Namespace, paths: Paths, before: Config | None) -> Config:
    """What shall be. Raises `UsageError`, `WrongChoice`, `RegistryError`; nothing is changed by it."""
    said = questions.said(arguments)
    if before is not None:
        return choices.settle(before, said)
    asks = sys.stdin.isatty() and not arguments.yes
    if said.endpoint is None and not asks:
        raise cli.UsageError("Say by which name or address clients reach this server: --endpoint vpn.example.org.")
    base = choices.first("localhost", os.urandom(7), paths.state)
    if said.database is not None:
        base = choices.settle(base, Choices(database=said.database))
    shared = await _pools_of(base)
    if shared and said.ipv4 is None and said.ipv6 is None:
        base = choices.with_pools(base, shared)
        output.say(f"The registry has networks for devices already: {', '.join(str(p.network) for p in shared)}.")
    return choices.settle(base, questions.asked(said, base, pools=not shared) if asks else said)


async def _pools_of(settings: Config) -> tuple[Pool, ...]:
    """What a registry that is there lends; empty: there is none yet."""
    registry = Registry(settings.database.url, os.urandom)
    try:
        await registry.database.check()
        return await registry.pools()
    except WrongSchema:
        return ()
    except Unavailable:
        if registry.database.is_sqlite:
            return ()
        raise
    finally:
        await registry.close()


def _need_name_server(wanted: Config, machine: Machine) -> None:
    """Raises `CliError`: nobody's resolvers are told to devices without the administrator's word."""
    if not wanted.dns.servers and not machine.at(names.PROGRAM).exists():
        raise cli.CliError(
            f"Devices would have no name server: `{names.INSTALL}` and run this again, or name resolvers of your choice, "
            "who will learn what devices look up: --dns 9.9.9.9. Nothing was changed."
        )


def _may_change(arguments: argparse.Namespace, before: Config, wanted: Config) -> None:
    """Raises `UsageError` unless the administrator wants it so."""
    told = list(choices.differences(before, wanted))
    if arguments.overwrite:
        return
    if not sys.stdin.isatty():
        raise cli.UsageError(f"{arguments.config} says otherwise ({'; '.join(told)}): say --overwrite to change it.")
    output.say(f"This changes {arguments.config}:", *(f"  {each}" for each in told))
    if not questions.yes("Change it?"):
        raise cli.UsageError("Nothing was changed.")


async def _steps(
    arguments: argparse.Namespace,
    machine: Machine,
    notes: Installed,
    paths: Paths,
    wanted: Config,
    before: Config | None,
) -> AsyncIterator[Step]:
    if not (paths.state / keys.NAME).exists():
        yield Step(changed=True, sentence=f"The gateway's key is made: {paths.wireguard_key}.")
    keys.create(paths.wireguard_key, owner=os.getuid())
    if not wanted.enrolment.certificate and (
        not (paths.certificate / certificate.CHAIN).exists()
        or before is None
        or before.wireguard.endpoint != wanted.wireguard.endpoint
    ):
        certificate.ensure(paths.certificate, wanted.wireguard.endpoint)
        yield Step(changed=True, sentence="Its certificate is made; links pin its key, so it needs no authority.")
    opened.identity(wanted, paths)
    pools = await _registry(wanted)
    if wanted != before:
        # Last of what can be refused: settings that stand there are in use.
        make_directory(paths.config.parent)
        if before is not None:
            shutil.copy(paths.config, paths.config.with_name(paths.config.name + BEFORE))
        write_file(paths.config, config_file.write(wanted).encode())
        yield Step(changed=True, sentence=f"The settings are in {paths.config}; each key is described there.")
    if arguments.no_start:
        return
    if paths != Paths():
        sentence = f"For folders of your own, start it yourself: `slopn-gateway serve {_options(paths)}`."
        yield Step(changed=False, sentence=sentence)
        return
    networks = [pool.network for pool in pools]
    async for step in setup.name_server(machine, notes, networks, own=not wanted.dns.servers):
        yield step
    async for step in setup.fail2ban(machine, notes):
        yield step
    async for step in setup.service(machine, notes, restart=wanted != before, registry=_elsewhere(wanted, paths)):
        yield step


def _elsewhere(wanted: Config, paths: Paths) -> Path | None:
    """The folder of a registry (SQLite) that isn't in the state directory."""
    _, is_file, path = wanted.database.url.partition("sqlite:///")
    folder = Path(path).parent
    return folder if is_file and not folder.is_relative_to(paths.state) else None


async def _removal(machine: Machine, notes: Installed, paths: Paths) -> AsyncIterator[Step]:
    async for step in setup.stop(machine):
        yield step
    if await withdraw(paths):
        yield Step(changed=True, sentence="Its rules and bans are away, and forwarding is as it was before.")
    async for step in setup.remove(machine, notes):
        yield step


async def _registry(wanted: Config) -> tuple[Pool, ...]:
    registry = Registry(wanted.database.url, os.urandom)
    try:
        await registry.create(config.lent(wanted.pools))
        return await registry.pools()
    finally:
        await registry.close()


def _options(paths: Paths) -> str:
    return f"--config {paths.config} --state-dir {paths.state} --runtime-dir {paths.runtime}"


def _told(step: Step) -> Step:
    output.say(step.sentence if step.good else f"Note: {step.sentence}")
    return step
