"""`slopn-gateway serve`: be the gateway, under systemd or by hand."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from slopn_helper import logs, notify, watchdog
from slopn_helper.files import make_directory
from slopn_helper.gateway import cli, config_file
from slopn_helper.gateway.withdraw import LOCK
from slopn_helper.secrets import forbid_dumps
from slopn_helper.store.lock import StateLock, StateLocked

HELP = "be the gateway, until SIGTERM"
_log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--log-level", choices=logs.LEVELS, default="info", help="default: info")
    parser.add_argument(
        "--log-file", type=Path, metavar="FILE", help="also write JSON lines here; turned over at a few megabytes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve. Raises what can't be, as a sentence."""
    paths = cli.paths(arguments)
    config = config_file.load(paths.config)
    make_directory(paths.state)
    make_directory(paths.runtime)
    lock = StateLock(paths.state / LOCK)
    try:
        lock.acquire()
    except StateLocked as error:
        raise cli.CliError(f"{error}: a gateway runs already") from None
    # Here, since --help and refusals are to be quick; and before the log is set up, since libraries set levels of their own.
    from slopn_helper.gateway.serve import serve

    logs.setup(arguments.log_level, file=arguments.log_file)
    forbid_dumps()
    try:
        asyncio.run(_until_told(partial(serve, config, paths)))
    finally:
        lock.release()
        logs.close()
    return cli.DONE


async def _until_told(serve: Callable[[asyncio.Event, Callable[[], None]], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ender(loop, stop))
    # What was imported stays for good: the collector needn't look at it again and again.
    gc.freeze()
    await serve(stop, _ready)


def _ender(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Callable[[], None]:
    def end() -> None:
        notify.tell(notify.STOPPING)
        if not stop.is_set():
            watchdog.start(loop)
        stop.set()

    return end


def _ready() -> None:
    _log.info("ready")
    notify.tell(notify.READY)
