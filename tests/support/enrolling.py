"""The device's side of enrolment against a real API: a way that needs no firewall, and a shelf over a real store."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest.mock import patch

from slopn_helper.control import Control
from slopn_helper.enrolment import https
from slopn_helper.enrolment.enroller import Enroller
from slopn_helper.enrolment.https import Answer
from slopn_helper.enrolment.pending import Pending
from slopn_helper.enrolment.way import Send, Way
from slopn_helper.gateway.types import Enrolled
from slopn_helper.hub import Hub
from slopn_helper.runner import FWMARK
from slopn_helper.store import Store
from slopn_helper.tunnel.context import Errand
from slopn_wire.enrolment import EnrolmentLink, make_link
from slopn_wire.enrolment_api import ApiGateway, Configuration
from slopn_wire.profile import Endpoint, IPAddress
from support.enrolment import World, serving
from support.registry import opened

LOOPBACK = ip_address("127.0.0.1")


class Device:
    """A device whose state is in `folder`: made anew over the same folder it is one whose helper was killed."""

    def __init__(self, folder: Path, send: Send = https.post, *, now: float = 0.0) -> None:
        self.folder = folder
        self.store = Store(folder)
        self.hub = Hub()
        self.control = Control(self.hub, self.store, self.store.load())
        self.errands: list[Errand] = []
        self.asked: list[str] = []
        self.pending = Pending(folder / "pending")
        way = Way(self._admit, self._resolve, lambda: ((LOOPBACK,), frozenset({4})), FWMARK, send)
        self.enroller = Enroller(self.control, self.pending, way, device="laptop", clock=lambda: now)

    async def _admit(self, errand: Errand) -> None:
        self.errands.append(errand)

    async def _resolve(self, host: str, *_: object, **__: object) -> tuple[IPAddress, ...]:
        self.asked.append(host)
        return (LOOPBACK,)

    @property
    def waiting(self) -> int:
        """Keys that no profile has."""
        return len(list((self.folder / "pending").glob("*.json")))


class Lossy:
    """Loses the answer to the request numbered `lost`, counted from 1, after the server has done it."""

    def __init__(self, lost: int) -> None:
        self.left = lost

    async def __call__(
        self, address: IPAddress, port: int, host: str, pin: bytes, path: str, body: bytes, fwmark: int
    ) -> Answer:
        """See `https.post`."""
        answer = await https.post(address, port, host, pin, path, body, fwmark)
        self.left -= 1
        if self.left == 0:
            raise https.HttpsError("the connection broke off")
        return answer


def link(world: World, token: bytes, *, pin: bytes | None = None, host: str = "127.0.0.1") -> str:
    """To that API."""
    return make_link(EnrolmentLink(host, world.port, world.identity.pin if pin is None else pin, token))


async def describe(world: World, enrolled: Enrolled) -> Configuration:
    """As `World.describe`, with a gateway that has a key; as many as `vars(world)["crowd"]` says."""
    answer = await _plainly(world, enrolled)
    (gateway,) = answer.gateways
    return Configuration(
        device=answer.device,
        name=answer.name,
        addresses=answer.addresses,
        gateways=tuple(
            ApiGateway(Endpoint("192.0.2.7", 51820), number.to_bytes(32, "big"), gateway.pin, gateway.api)
            for number in range(1, vars(world).get("crowd", 1) + 1)
        ),
        dns=answer.dns,
        search=answer.search,
        gateway_addresses=answer.gateway_addresses,
        expires=answer.expires,
    )


_plainly = World.describe


def at_gateway(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine test in a loop of its own, with the API of a gateway as `world`."""

    async def serve(tmp_path: Path, **rest: object) -> None:
        with patch.object(World, "describe", describe):
            async with opened(f"sqlite:///{tmp_path}/registry.db") as registry, serving(registry, tmp_path) as world:
                await test(world=world, tmp_path=tmp_path, **rest)

    @functools.wraps(test)
    def run(**given: Any) -> None:
        asyncio.run(serve(**given))

    signature = inspect.signature(test)
    kept = [parameter for name, parameter in signature.parameters.items() if name != "world"]
    run.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return run
