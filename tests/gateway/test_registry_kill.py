from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys

from support.registry import new_token, opened, redeem, sound

_ROUNDS = 6
_ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def enrol_and_die(url: str, secret: bytes, after: int) -> set[str]:
    """Let a process enrol, kill it by SIGKILL once it has answered `after` times; which devices it answered for."""
    words = [sys.executable, "-m", "support.registry_process", url, secret.hex()]
    with subprocess.Popen(words, env=_ENV, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            answered = [process.stdout.readline() for _ in range(after)]
        finally:
            process.kill()
        return {line.strip() for line in (*answered, *process.stdout) if line.endswith("\n")}


def test_killed_among_enrolments(url: str) -> None:
    """SIGKILL at random moments: who was answered is enrolled, nobody is by half, no address and no use is lost."""
    moments = random.Random(7)

    async def body() -> None:
        async with opened(url) as registry:
            secret = await new_token(registry, uses=50_000)
            answered: set[str] = set()
            for _ in range(_ROUNDS):
                told = await asyncio.to_thread(enrol_and_die, url, secret, moments.randrange(1, 40))
                assert told
                answered |= told
                devices = await registry.devices()
                sound(devices)
                assert answered <= {each.device.id for each in devices}
                assert [token.left for token in await registry.tokens()] == [50_000 - len(devices)]
                assert await registry.lent() == {"v4": len(devices), "v6": len(devices)}
            await redeem(registry, secret)
            sound(await registry.devices())

    asyncio.run(body())
