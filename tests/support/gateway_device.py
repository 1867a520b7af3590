"""A device of a gateway that a test runs: a plain engine of this process in a namespace, and its row in the registry."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_engine import Engine
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.types import DeviceKind, Enrolled
from support.enginepair import End
from support.gateway import Keys
from support.gateway_process import INSIDE4, INSIDE6, GatewayProcess
from support.netns import Namespace
from support.registry import opened
from support.topology import GATEWAY_PORT, WEB4, WEB6
from support.until import until

T = TypeVar("T")
_numbers = itertools.count(1)


def in_registry(gateway: GatewayProcess, work: Callable[[Registry], Awaitable[T]]) -> T:
    """Do `work` on the gateway's registry, as another program would: the gateway hears of it by the feed."""

    async def body() -> T:
        async with opened(gateway.database, ()) as registry:
            return await work(registry)

    return asyncio.run(body())


def public_of(gateway: GatewayProcess) -> bytes:
    """The gateway's WireGuard key."""
    return X25519PrivateKey.from_private_bytes(gateway.private).public_key().public_bytes_raw()


@dataclass
class Far(End):
    """The gateway's end, as the device's programs name it."""

    key: bytes = b""

    @property
    def inner4(self) -> str:
        """Its IPv4 address in the tunnel."""
        return INSIDE4

    @property
    def public(self) -> bytes:
        """Its public key."""
        return self.key


@dataclass
class Device(End):
    """An enrolled device; `close` ends its engine. Several may share a namespace."""

    gateway: GatewayProcess = field(kw_only=True)
    enrolled: Enrolled = field(kw_only=True)

    @classmethod
    def enrol(
        cls,
        gateway: GatewayProcess,
        namespace: Namespace,
        *,
        lifetime: float | None = None,
        kind: DeviceKind = DeviceKind.SLOPN,
    ) -> Self:
        """A new one, in the registry by an administrator's word; `lifetime`: seconds. Its engine isn't connected yet."""
        keys = Keys.new()
        public = base64.b64decode(keys.public)
        expires = None if lifetime is None else time.time() + lifetime
        enrolled = in_registry(gateway, lambda r: r.add("device", public, kind, now=time.time(), expires=expires))
        return cls.of(gateway, namespace, keys, enrolled)

    @classmethod
    def of(cls, gateway: GatewayProcess, namespace: Namespace, keys: Keys, enrolled: Enrolled) -> Self:
        """One that is enrolled already, with an engine that isn't connected yet."""
        number = next(_numbers)
        with namespace.entered():
            engine = Engine(f"wd{os.getpid() % 10**6}{secrets.token_hex(2)}n{number}"[:15], uapi=False)
        made = cls(number, namespace, engine, keys, gateway=gateway, enrolled=enrolled)
        made._address()
        return made

    @property
    def id(self) -> str:
        """In the registry."""
        return self.enrolled.device.id

    @property
    def inner4(self) -> str:
        """Its IPv4 address in the tunnel."""
        return str(self.enrolled.leases[0].address)

    @property
    def inner6(self) -> str:
        """Its IPv6 address in the tunnel."""
        return str(self.enrolled.leases[1].address)

    @property
    def far(self) -> Far:
        """The gateway's end."""
        return Far(0, self.gateway.namespace, self.engine, self.keys, key=public_of(self.gateway))

    def connect(self, timeout: float = 30.0) -> None:
        """Ask for handshakes until the gateway answers a ping inside."""

        def answered() -> bool:
            self.dial()
            return self.reaches(INSIDE4)

        until(answered, timeout, f"device {self.number} is connected")

    def dial(self) -> None:
        """Configure the engine and ask for a handshake."""
        everything = ["0.0.0.0/0", "::/0"]
        self.apply((public_of(self.gateway), (self.gateway.address, GATEWAY_PORT), everything, None, None))

    def reaches(self, address: str, options: str = "-c1 -W1") -> bool:
        """Whether every ping through this device's tunnel is answered."""
        return self.pings(address, f"{options} -I {self.engine.interface}")

    def is_peer(self) -> bool:
        """Whether the gateway's engine knows its key."""
        done = self.gateway.namespace.run("wg show slopngw0 peers", check=False)
        return self.keys.public in done.stdout.split()

    def _address(self) -> None:
        name, metric = self.engine.interface, 1000 + self.number
        self.namespace.ip(
            f"""addr add {self.inner4}/32 dev {name}
            -6 addr add {self.inner6}/128 dev {name} nodad
            link set {name} mtu 1420 up
            route add {INSIDE4} dev {name} metric {metric}
            route add {WEB4} dev {name} metric {metric}
            -6 route add {INSIDE6} dev {name} metric {metric}
            -6 route add {WEB6} dev {name} metric {metric}"""
        )
