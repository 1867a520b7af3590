from __future__ import annotations

import asyncio
import socket

from cryptography.exceptions import UnsupportedAlgorithm

from slopn_helper.psk.channel import WAITING, Channel
from slopn_helper.psk.ends import End
from slopn_helper.psk.messages import LARGEST
from support.until import until_async


class Ear(End):
    """An end that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def datagram(self, data: bytes) -> None:
        """Note it."""
        self.heard.append(data)


def test_each_datagram_comes_to_its_end() -> None:
    """Over real sockets, in order; a stranger's and a too long one are dropped; answers go back."""

    async def run() -> None:
        ear = Ear()
        ours, theirs, stranger = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3))
        for end in (ours, theirs, stranger):
            end.setblocking(False)
            end.bind(("127.0.0.1", 0))
        known = theirs.getsockname()
        channel = Channel(lambda host, port: ear if (host, port) == known else None)
        channel.send(b"before it is open", known)
        await channel.open(ours)
        work = asyncio.create_task(channel.run())
        stranger.sendto(b"stranger", ours.getsockname())
        theirs.sendto(b"x" * (LARGEST + 1), ours.getsockname())
        for word in (b"one", b"two"):
            theirs.sendto(word, ours.getsockname())
        await until_async(lambda: len(ear.heard) >= 2, 10, "both arrive")
        assert ear.heard == [b"one", b"two"]
        channel.send(b"answer", known)
        assert await asyncio.get_running_loop().sock_recv(theirs, 100) == b"answer"
        channel.close()
        channel.close()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        theirs.close()
        stranger.close()

    asyncio.run(run())


def test_a_flood_is_lost_and_not_kept() -> None:
    """While nobody reads, so many wait and no more."""

    async def run() -> None:
        ear = Ear()
        channel = Channel(lambda *_: ear)
        for number in range(3 * WAITING):
            channel.datagram_received(b"%d" % number, ("192.0.2.1", 1))
        channel.error_received(ConnectionRefusedError())
        work = asyncio.create_task(channel.run())
        await until_async(lambda: len(ear.heard) >= WAITING, 10, "all are handed over")
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert ear.heard == [b"%d" % number for number in range(WAITING)]

    asyncio.run(run())


def test_a_peer_that_makes_its_end_fail_harms_nobody_else() -> None:
    """Whatever the fault: the next datagram is worked on."""

    class Faulty(Ear):
        async def datagram(self, data: bytes) -> None:
            raise UnsupportedAlgorithm(f"ML-KEM, for {data!r}")

    async def run() -> None:
        ear, faulty = Ear(), Faulty()
        channel = Channel(lambda host, _port: ear if host == "good" else faulty)
        channel.datagram_received(b"one", ("bad", 1))
        channel.datagram_received(b"two", ("good", 1))
        work = asyncio.create_task(channel.run())
        await until_async(lambda: work.done() or ear.heard == [b"two"], 10, "it is worked on")
        assert not work.done()
        work.cancel()

    asyncio.run(run())
