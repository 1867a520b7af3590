"""`slopn watch`: a snapshot, then each change, as JSON lines."""

from __future__ import annotations

import argparse
import os
import sys

from slopn_app.cli.channel import not_permitted, not_reachable
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.verb import Argument, Verb
from slopn_app.endpoint import socket_path

VERB = Verb(
    "print a snapshot, then each change, as JSON lines",
    (Argument(("--logs",), "the helper's log lines, too", {"action": "store_true"}),),
    "Survives a restart of the helper: a line of type unreachable says that it is gone, a new snapshot that it is back.",
)


def run(arguments: argparse.Namespace) -> int:
    """Print until interrupted. Status 3 if there is no helper to begin with."""
    import asyncio

    asyncio.run(_print(logs=arguments.logs))
    return Status.DONE


async def _print(*, logs: bool) -> None:
    import contextlib

    from slopn_app.client import HelperClient, Incompatible, Unreachable
    from slopn_wire.codec import encode

    client = HelperClient(socket_path(os.environ))
    first = True
    try:
        async with contextlib.aclosing(client.messages(logs=logs)) as messages:
            async for message in messages:
                if first and isinstance(message, Unreachable):
                    raise not_reachable(client.path, message.reason)
                first = False
                sys.stdout.write(encode(message).decode() + "\n")
                sys.stdout.flush()
    except PermissionError:
        raise not_permitted() from None
    except Incompatible as error:
        raise Failure(Status.FAILED, str(error)) from None
