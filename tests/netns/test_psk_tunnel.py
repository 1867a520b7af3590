from __future__ import annotations

import asyncio
import os
import secrets
import socket
from contextlib import AsyncExitStack
from functools import partial

import pytest

from slopn_helper.psk import PORT
from slopn_helper.psk.sockets import open_socket
from support.enginepair import PORT as WIREGUARD
from support.enginepair import End, Star
from support.psk_tunnel import Worker
from support.until import until_async

_DEVICE = f"wq{os.getpid()}{secrets.token_hex(2)}"[:15]


def protected(*workers: Worker) -> bool:
    """All of them are."""
    return all(worker.status.protected for worker in workers)


def has_agreed(worker: Worker, count: int) -> bool:
    """Whether so many keys were agreed and used."""
    return worker.status.agreed >= count


async def shown(end: End) -> str:
    """The preshared key of its only peer, as `wg` has it."""
    done = await asyncio.to_thread(end.namespace.run, ["wg", "show", _DEVICE, "preshared-keys"])
    return str(done.stdout).split()[1]


def test_keys_are_agreed_again_and_again_without_a_lost_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an exchange each second, six keys come and go under 1,000 pings a second, and `wg` shows each."""
    monkeypatch.setattr("slopn_helper.psk.client.INTERVAL", 1.0)

    async def run(star: Star) -> None:
        client, gateway = star.clients[0], star.server
        async with Worker(_DEVICE, gateway, client) as there, Worker(_DEVICE, client, gateway) as here:
            star.connect()
            await until_async(lambda: protected(here, there), 20, "a key of the protocol")
            keys: set[str] = set()

            async def pinged() -> None:
                while len(keys) < 6:
                    assert await asyncio.to_thread(client.pings, gateway.inner4, "-q -c1000 -i0.001 -W2")

            pings = asyncio.create_task(pinged())
            while len(keys) < 6:
                agreed = here.status.agreed
                keys.add(await shown(client))
                await until_async(partial(has_agreed, here, agreed + 1), 20, "the next key")
            await pings
            assert here.status.lost == there.status.lost == 0
            assert here.status.algorithm == there.status.algorithm == "ML-KEM-768"

    with Star(interface=_DEVICE, uapi=True) as star:
        asyncio.run(run(star))


def test_an_end_that_is_started_anew_is_let_in_and_protected_again() -> None:
    """First the client, then the gateway lose everything; each time a key is agreed again, demanded or not.

    The gate is closed from the loss to the new key.
    """

    async def run(star: Star) -> None:
        client, gateway = star.clients[0], star.server
        async with AsyncExitStack() as stack:

            async def start(own: End, other: End) -> Worker:
                return await stack.enter_async_context(Worker(_DEVICE, own, other, demanded=True))

            there, here = await start(gateway, client), await start(client, gateway)
            star.connect()
            await until_async(lambda: protected(here, there), 20, "a key of the protocol")
            assert here.gates == there.gates == [False, True]

            await here.close()
            star.restart(client)
            here = await start(client, gateway)
            client.apply(gateway.as_peer(star.address(client)))
            await until_async(lambda: here.status.protected, 40, "the client is protected again")
            await until_async(lambda: there.gates == [False, True, False, True], 5, "the gateway as well")

            await there.close()
            star.restart(gateway)
            there = await start(gateway, client)
            gateway.apply(client.as_peer(), port=WIREGUARD)
            await asyncio.to_thread(client.pings, gateway.inner4)
            await until_async(lambda: there.status.protected, 60, "the gateway is protected again")
            await until_async(lambda: here.gates == [False, True, False, True], 5, "the client as well")

    with Star(interface=_DEVICE) as star:
        asyncio.run(run(star))


def test_the_socket_hears_the_tunnel_alone() -> None:
    """A datagram to the gateway's address in the tunnel that comes in by the wire reaches a plain socket, not ours."""
    with Star(interface=_DEVICE) as star:
        client, gateway = star.clients[0], star.server
        gateway.namespace.run(["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.ve1.rp_filter=0"])
        client.namespace.ip(f"link set {_DEVICE} down\nroute add {gateway.inner4}/32 via 10.99.1.254")
        with gateway.namespace.entered():
            ours = open_socket(_DEVICE, gateway.inner4)
            plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            plain.bind((gateway.inner4, PORT + 1))
            plain.settimeout(5)
        with client.namespace.entered():
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with ours, plain, sender:
            for port in (PORT, PORT + 1):
                sender.sendto(b"from the wire", (gateway.inner4, port))
            assert plain.recv(100) == b"from the wire"
            with pytest.raises(BlockingIOError):
                ours.recv(100)
