"""Gateway and database are killed at random while devices enrol: who got an answer is enrolled, and all agree afterwards."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from functools import partial

import pytest

from slopn_helper.gateway import tokens
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.types import Enrolled
from support.enrolment import DeviceKey, NoChallenge, Reply
from support.gateway_client import line
from support.gateway_device import in_registry
from support.gateway_process import GatewayProcess
from support.postgres import Postgres, postgres
from support.registry import sound
from support.topology import DNS4, GATEWAY4, Lab
from support.until import until, until_async

_log = logging.getLogger(__name__)
WITHIN = 60.0
HANGS = 250.0
"""Seconds without progress."""
AT_ONCE = 8
DAY = 86_400.0


class Crowd:
    """`count` devices that enrol by one token, each until it has got an answer."""

    def __init__(self, lab: Lab, count: int, secret: bytes) -> None:
        self.answers: dict[bytes, Reply] = {}
        self.failures = 0
        """Tries that came to nothing: no connection, one that broke off, 429, 503."""
        self._lab = lab
        self._secret = secret
        self._left = [DeviceKey() for _ in range(count)]

    async def enrol(self) -> None:
        """All of them."""
        await asyncio.gather(*(self._work() for _ in range(AT_ONCE)))

    async def _work(self) -> None:
        """One after the other on one connection, as long as that lasts; an unanswered one again on the next."""
        key: DeviceKey | None = None
        while key is not None or self._left:
            try:
                async with line(self._lab.client, GATEWAY4) as there:
                    while key is not None or self._left:
                        key = key or self._left.pop()
                        async with asyncio.timeout(WITHIN):
                            reply = await key.enrol(there, self._secret)
                        if reply.status == 200:
                            self.answers[key.public], key = reply, None
                        else:
                            assert reply.status in {429, 503}, reply
                            raise ConnectionError
            except (OSError, EOFError, TimeoutError, NoChallenge):
                self.failures += 1
                await asyncio.sleep(0.2)


def _kill(gateway: GatewayProcess, server: Postgres, chance: random.Random) -> str:
    """One of the two, or both; started again."""
    what = chance.choice(["gateway", "database", "both"])
    if what != "gateway":
        server.kill()
    if what != "database":
        gateway.kill()
    if what != "gateway":
        server.start()
    if what != "database":
        gateway.start(120.0)
    return what


def _answered(crowd: Crowd, number: int) -> bool:
    return len(crowd.answers) >= number


async def _killing(crowd: Crowd, at: list[int], kill: Callable[[], str]) -> None:
    """A kill each time that so many have got their answer."""
    for number in at:
        await until_async(partial(_answered, crowd, number), HANGS, f"{number} have an answer")
        what = await asyncio.to_thread(kill)
        _log.info("after %d answers %s was killed; %d answers at its return", number, what, len(crowd.answers))


@pytest.mark.parametrize(
    ("count", "kills", "seed"),
    [
        pytest.param(40, 2, 3, id="40"),
        pytest.param(500, 16, 7, id="500", marks=pytest.mark.long),
    ],
)
def test_all_agree_after_kills(count: int, kills: int, seed: int) -> None:
    """Registry, `wg show` and the rules; no address twice, no lease and no use of the token lost, nobody banned."""
    chance = random.Random(seed)
    with postgres() as server, Lab(uplinks=("eth0",)) as lab:
        url = server.create("registry")
        with GatewayProcess(lab.gateway, {"dns": {"servers": [DNS4]}}, database=url) as gateway:
            secret, token = tokens.make(secrets.token_bytes, "crowd", uses=count, now=time.time(), lifetime=DAY)
            in_registry(gateway, lambda registry: registry.add_token(token))
            crowd = Crowd(lab, count, secret)
            moments = sorted(chance.sample(range(1, count - AT_ONCE), kills))

            async def run() -> None:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(crowd.enrol())
                    tasks.create_task(_killing(crowd, moments, lambda: _kill(gateway, server, chance)))

            began = time.monotonic()
            asyncio.run(run())
            _log.warning(
                "%d enrolled in %.0f s over %d kills, %d tries in vain",
                *(count, time.monotonic() - began, kills, crowd.failures),
            )
            _agree(gateway, crowd)


def _agree(gateway: GatewayProcess, crowd: Crowd) -> None:
    async def look(registry: Registry) -> tuple[tuple[Enrolled, ...], dict[str, int], list[int]]:
        return await registry.devices(), await registry.lent(), [each.left for each in await registry.tokens()]

    devices, lent, left = in_registry(gateway, look)
    sound(devices)
    count = len(crowd.answers)
    assert (len(devices), lent, left) == (count, {"v4": count, "v6": count}, [0])
    by_key = {each.device.public_key: each for each in devices}
    for key, reply in crowd.answers.items():
        mine = by_key[key]
        assert reply.body["device"] == mine.device.id
        assert {each.split("/")[0] for each in reply.body["addresses"]} == {str(each.address) for each in mine.leases}
    wanted = {
        b64encode(key).decode(): {f"{lease.address}/{lease.address.max_prefixlen}" for lease in each.leases}
        for key, each in by_key.items()
    }
    until(lambda: _peers(gateway) == wanted, WITHIN, "the engine has just those of the registry")
    until(lambda: gateway.status()["trouble"] == [], WITHIN, f"nothing is amiss: {gateway.status()['trouble']}")
    assert gateway.status()["bans"] == 0
    found = json.loads(gateway.cli("doctor", "--json", check=False).stdout)["findings"]
    assert [each for each in found if each["verdict"] == "failed"] == []


def _peers(gateway: GatewayProcess) -> dict[str, set[str]]:
    """Who is let in, with which addresses."""
    shown = gateway.namespace.run("wg show slopngw0 allowed-ips", check=False).stdout
    return {key: set(rest.split()) for key, rest in (each.split("\t") for each in shown.splitlines())}
