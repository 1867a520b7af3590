"""`slopn-gateway serve`, all of it: what is read at the start, and which engine does the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from slopn_helper import notify
from slopn_helper.engine.rust import RustEngine
from slopn_helper.gateway import certificate, keys
from slopn_helper.gateway.certificate import Identity
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.paths import Paths
from slopn_helper.gateway.server import Server, first


async def serve(config: Config, paths: Paths, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Be the gateway until `stop` is set. `ready` as in `Server.run`, whose errors it raises.

    Raises `keys.GatewayKeyError`, `certificate.CertificateError` before anything is changed.
    """
    private = keys.load(paths.wireguard_key)
    server = Server(config, paths, private, identity_of(config, paths), RustEngine())
    try:
        async with asyncio.TaskGroup() as tasks:
            alive = tasks.create_task(notify.keep_alive())
            try:
                await server.run(stop, ready)
            finally:
                alive.cancel()
    except BaseExceptionGroup as errors:
        # What can't be is told in a sentence, and a group of one would be a traceback.
        raise first(errors) from None


def identity_of(config: Config, paths: Paths) -> Identity:
    """What the enrolment API shows: the administrator's certificate, or our own. Raises `certificate.CertificateError`."""
    section = config.enrolment
    if section.certificate:
        return certificate.own(Path(section.certificate), Path(section.key))
    return certificate.ensure(paths.certificate, config.wireguard.endpoint)
