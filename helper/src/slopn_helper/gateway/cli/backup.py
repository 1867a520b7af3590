"""`slopn-gateway backup FILE`: devices, leases, tokens' hashes and pools, at one moment; the gateway goes on meanwhile."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from slopn_helper.files import write_file
from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import opened, output

HELP = "save the registry of devices into a file"


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("file", type=Path, help="is replaced; readable by root alone")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    config = opened.settings(arguments)
    with opened.log(arguments).act("backup", str(arguments.file)):
        async with opened.registry(config) as registry:
            data = await registry.backup()
        write_file(arguments.file, data)
    state = cli.paths(arguments).state
    output.say(
        f"The registry is saved in {arguments.file} ({output.size(len(data))}).",
        f"Keep {arguments.config} and {state}/*.key and *.pem as well: without them every device must be enrolled anew.",
    )
    return cli.DONE
