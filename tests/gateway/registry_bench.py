"""How fast the registry is: `python -m gateway.registry_bench [URL]`, from the tests folder; SQLite in a new folder otherwise."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import aclosing

from slopn_helper.gateway.registry import Registry
from support.registry import NOW, new_token, opened, redeem

_COUNT = 2000
_AT_ONCE = 64


async def main(url: str) -> None:
    """Enrol 2,000 devices, then begin anew with them, then revoke one and wait until another process's reader knows."""
    async with opened(url) as registry:
        secret = await new_token(registry, uses=_COUNT)
        waiting = asyncio.Semaphore(_AT_ONCE)

        async def enrol() -> float:
            async with waiting:
                began = time.perf_counter()
                await redeem(registry, secret)
                return time.perf_counter() - began

        began, cpu = time.perf_counter(), time.process_time()
        took = sorted(await asyncio.gather(*(enrol() for _ in range(_COUNT))))
        seconds = time.perf_counter() - began
        say(f"enrolments a second, {_AT_ONCE} at once: {_COUNT / seconds:.0f}")
        say(f"CPU a thousand enrolments: {(time.process_time() - cpu) * 1000 / _COUNT:.2f} s")
        say(f"slowest 1 %: {took[_COUNT * 99 // 100] * 1000:.0f} ms")
    async with opened(url) as registry, opened(url) as other:
        began = time.perf_counter()
        async with aclosing(other.changes()) as changes:  # type: ignore[type-var]
            first = await anext(changes)
            say(f"all {len(first.devices)} devices, from the first call: {time.perf_counter() - began:.2f} s")
            for _ in range(3):
                await heard(registry, changes, first.devices[_].device.id)


async def heard(registry: Registry, changes: object, device: str) -> None:
    """Revoke one; the reader shares nothing but the database."""
    began = time.perf_counter()
    await registry.revoke(device, now=NOW)
    await anext(changes)  # type: ignore[call-overload]
    say(f"revoked and heard of by another: {(time.perf_counter() - began) * 1000:.0f} ms")


def say(line: str) -> None:
    """One figure."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="slopn-bench-") as folder:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/registry.db"))
