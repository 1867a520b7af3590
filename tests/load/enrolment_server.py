"""The enrolment API as a process of its own, for `load.enrolments`: prints its port and a token, serves until it is ended."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import time
from ipaddress import ip_network
from pathlib import Path

from slopn_helper.gateway import tokens
from slopn_helper.gateway.api import Limits, Patience
from slopn_helper.gateway.types import Pool
from support.enrolment import serving
from support.registry import opened

_HOUR = 3600.0
POOLS = (Pool("v4", ip_network("10.0.0.0/12")), Pool("v6", ip_network("fd00::/64")))


async def main(folder: Path) -> None:
    """With the limits and the patience that a gateway has; every source has its share."""
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    async with (
        opened(f"sqlite:///{folder}/registry.db", POOLS) as registry,
        serving(registry, folder, limits=Limits(), patience=Patience()) as world,
    ):
        world.now = time.time()
        token, known = tokens.make(secrets.token_bytes, "load", uses=100_000, now=world.now, lifetime=_HOUR)
        await registry.add_token(known)
        told = {"port": world.port, "token": token.hex(), "certificate": str(world.identity.chain_pem_path)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await end.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
