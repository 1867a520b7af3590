from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from slopn_helper.engine import listening
from slopn_helper.engine.listening import Listen

PATIENCE = 10.0


class Source:
    """Events as the engine has them: told by a descriptor and by `wait`, until they are taken."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._there = threading.Event()

    def tell(self) -> None:
        """There is something."""
        self._there.set()
        self._theirs.send(b"x")

    def take(self) -> None:
        """There is nothing any more."""
        self._there.clear()
        self._ours.recv(100)

    def close(self) -> None:
        """The end of the test."""
        self._ours.close()
        self._theirs.close()

    def fileno(self) -> int:
        """See `Telling`."""
        return self._ours.fileno()

    def wait(self, timeout: float) -> bool:
        """See `Telling`."""
        return self._there.wait(timeout)


@pytest.mark.parametrize("listen", [listening.by_descriptor, listening.by_thread])
def test_each_event_is_heard_once_in_the_loop(listen: Listen) -> None:
    """In the loop's own thread, since nothing of the engine's owner is locked."""

    async def listened() -> None:
        source, heard = Source(), asyncio.Queue[int]()

        def take() -> None:
            source.take()
            heard.put_nowait(threading.get_ident())

        unlisten = listen(source, take)
        for _ in range(3):
            source.tell()
            assert await asyncio.wait_for(heard.get(), PATIENCE) == threading.get_ident()
            assert heard.empty()
        unlisten()
        unlisten()
        source.close()

    asyncio.run(listened())


@pytest.mark.parametrize("listen", [listening.by_descriptor, listening.by_thread])
def test_who_listens_no_more_hears_nothing(listen: Listen) -> None:
    """And its thread ends: another start must not find two."""

    async def listened() -> None:
        source = Source()
        unlisten = listen(source, lambda: pytest.fail("heard"))
        threads = [thread for thread in threading.enumerate() if thread.name == "engine-events"]
        unlisten()
        source.tell()
        for thread in threads:
            await asyncio.to_thread(thread.join, PATIENCE)
            assert not thread.is_alive()
        await asyncio.sleep(0)
        source.close()

    asyncio.run(listened())


def test_a_busy_loop_is_told_once() -> None:
    """A thread that asks again before the loop has taken what there is would fill the loop's queue."""

    class Counted(Source):
        def __init__(self) -> None:
            super().__init__()
            self.again = threading.Event()
            self.asked = threading.Event()

        def wait(self, timeout: float) -> bool:
            there = super().wait(timeout)
            if there:
                (self.again if self.asked.is_set() else self.asked).set()
            return there

    async def listened() -> None:
        source = Counted()
        unlisten = listening.by_thread(source, source.take)
        source.tell()
        assert source.asked.wait(PATIENCE)
        assert not source.again.wait(0.1)
        unlisten()
        source.close()

    asyncio.run(listened())
