"""The way to an API: opened for as long as it takes, and shut whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from slopn_helper.enrolment import way
from slopn_helper.enrolment.https import Answer, HttpsError, NotReached, WrongPin
from slopn_helper.enrolment.way import Way
from slopn_helper.host.resolver import ResolveError
from slopn_helper.tunnel.context import Errand
from slopn_wire.profile import Endpoint, IPAddress
from support.aio import in_loop
from support.until import until_async

API = Endpoint("vpn.example.org", 443)
ONE, TWO = ip_address("203.0.113.1"), ip_address("203.0.113.2")


class Outside:
    """What a way leads through: firewall, resolver, servers; and what was asked of them, in order."""

    def __init__(self, *answers: Answer | HttpsError, found: Sequence[IPAddress] = (ONE, TWO)) -> None:
        self.done: list[object] = []
        self.answers = list(answers)
        self.found = tuple(found)
        self.way = Way(self.admit, self.resolve, lambda: ((ip_address("192.0.2.53"),), frozenset({4})), 7, self.send)

    async def admit(self, errand: Errand) -> None:
        """The firewall."""
        self.done.append(errand)

    async def resolve(
        self,
        host: str,
        resolvers: Sequence[IPAddress],
        fwmark: int | None,
        *,
        timeout: float,  # noqa: ASYNC109 - as the real one
    ) -> tuple[IPAddress, ...]:
        """The resolver."""
        assert timeout > 0
        self.done.append((host, tuple(map(str, resolvers)), fwmark))
        if not self.found:
            raise ResolveError(host, [])
        return self.found

    async def send(
        self, address: IPAddress, port: int, host: str, pin: bytes, path: str, body: bytes, fwmark: int
    ) -> Answer:
        """The servers."""
        assert (port, host, pin, fwmark) == (443, "vpn.example.org", b"p", 7)
        self.done.append((address, path, body))
        answer = self.answers.pop(0)
        if isinstance(answer, HttpsError):
            raise answer
        return answer


OK = Answer(200, b"{}")
OPENED = [
    Errand(names=True),
    ("vpn.example.org", ("192.0.2.53",), 7),
    Errand(apis=(Endpoint(str(ONE), 443), Endpoint(str(TWO), 443))),
]


@in_loop
async def test_it_opens_asks_and_shuts() -> None:
    """The name first, then the address alone; an address that is dead is passed over, and one that answers is kept."""
    outside = Outside(NotReached("dead"), OK, OK)
    async with outside.way.to(API, b"p") as post:
        assert await post("/a", b"1") == OK
        assert await post("/b", b"2") == OK
    assert outside.done == [*OPENED, (ONE, "/a", b"1"), (TWO, "/a", b"1"), (TWO, "/b", b"2"), Errand()]


@pytest.mark.parametrize("error", [WrongPin("x"), HttpsError("y"), NotReached("z")])
@in_loop
async def test_it_is_shut_after_a_failure(error: HttpsError) -> None:
    """Nobody else is tried in the place of one that shows another key."""
    outside = Outside(error, error)
    with pytest.raises(HttpsError):
        async with outside.way.to(API, b"p") as post:
            await post("/a", b"")
    assert outside.done[-1] == Errand()
    assert len(outside.answers) == (0 if isinstance(error, NotReached) else 1)


@in_loop
async def test_a_name_that_nobody_knows() -> None:
    """Says so, and shuts."""
    outside = Outside(found=())
    with pytest.raises(HttpsError, match=r"vpn\.example\.org"):
        async with outside.way.to(API, b"p"):
            raise AssertionError
    assert outside.done == [*OPENED[:2], Errand()]


@in_loop
async def test_it_is_shut_when_it_is_given_up() -> None:
    """A cancelled errand leaves nothing open."""
    outside = Outside()
    inside = asyncio.Event()

    async def stay() -> None:
        async with outside.way.to(API, b"p"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(stay())
    await inside.wait()
    task.cancel()
    await asyncio.wait([task])
    assert outside.done[-1] == Errand()


@in_loop
async def test_one_errand_at_a_time() -> None:
    """The second begins when the first has shut."""
    outside = Outside(OK)
    async with asyncio.TaskGroup() as tasks:
        async with outside.way.to(API, b"p") as post:
            second = tasks.create_task(_enter(outside.way))
            await post("/a", b"")
            assert outside.done.count(Errand(names=True)) == 1
        await second
    assert outside.done[-1] == Errand()
    assert outside.done.count(Errand(names=True)) == 2


async def _enter(path: Way) -> None:
    async with path.to(API, b"p"):
        pass


@in_loop
async def test_a_firewall_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request then meets closed rules, and fails like any other."""
    monkeypatch.setattr(way, "ADMIT_WITHIN", 0.01)
    outside = Outside(NotReached("refused"), NotReached("refused"))
    waited: list[Errand] = []

    async def hang(errand: Errand) -> None:
        waited.append(errand)
        await asyncio.Event().wait()

    stuck = Way(hang, outside.resolve, lambda: ((), frozenset({4})), 7, outside.send)
    with pytest.raises(NotReached):
        async with stuck.to(API, b"p") as post:
            await post("/a", b"")
    await until_async(lambda: waited[-1:] == [Errand()], 10, "it is shut")
