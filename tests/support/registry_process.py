"""Enrols devices until it is killed: `python -m support.registry_process URL TOKEN`; a line for each that was answered."""

from __future__ import annotations

import asyncio
import secrets
import sys

from slopn_helper.gateway.registry import Registry
from support.registry import NOW, PATIENCE


async def main(url: str, secret: bytes) -> None:
    """Eight at a time, for ever."""
    registry = Registry(url, secrets.token_bytes, patience=PATIENCE)

    async def enrol() -> None:
        while True:
            enrolled = await registry.redeem(secret, "d", secrets.token_bytes(32), now=NOW, expires=None)
            sys.stdout.write(f"{enrolled.device.id}\n")
            sys.stdout.flush()

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(enrol())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], bytes.fromhex(sys.argv[2])))
