"""`slopn-gateway restore FILE`: the registry as it was saved, in one transaction; running gateways follow at once."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import opened, output
from slopn_helper.gateway.registry import Registry

HELP = "put a saved registry in the place of the one that is there"
MOST_BYTES = 256 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("file", type=Path, help="that `backup` has written")
    parser.add_argument("--yes", action="store_true", help="don't ask")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    settings = opened.settings(arguments)
    with arguments.file.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise cli.CliError(f"{arguments.file} has more than {MOST_BYTES >> 20} MiB: that is no backup.")
    registry = Registry(settings.database.url, os.urandom)
    try:
        # On a fresh server there is no database yet.
        await registry.database.create()
        there = len(await registry.devices())
        if there and not arguments.yes and not _asked(there):
            raise cli.UsageError("Nothing was changed.")
        with opened.log(arguments).act("restore", str(arguments.file)) as act:
            act.tell(replaced=there)
            await registry.restore(data)
            found = len(await registry.devices())
            act.tell(devices=found)
    finally:
        await registry.close()
    output.say(f"The registry is as in {arguments.file}: {found} devices. Running gateways follow by themselves.")
    return cli.DONE


def _asked(there: int) -> bool:
    if not sys.stdin.isatty():
        raise cli.UsageError(f"The registry has {there} devices, which would be replaced: say --yes.")
    output.put(f"The registry has {there} devices, which are replaced by those of the backup. Go on? [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
