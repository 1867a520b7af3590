from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slopn_app.client import HelperClient
from slopn_app.credentials.vault import Locked
from slopn_app.feed import Problem, ProblemKind
from slopn_app.trouble import KEYRING_LOCKED, NOT_PAIRED, Trouble
from slopn_wire.codec import encode
from slopn_wire.commands import Connect, GetSnapshot, RevokeDevice
from slopn_wire.events import Done, ErrorKind, Refused, Snapshot
from slopn_wire.framing import frame
from slopn_wire.greeting import Greeting
from support.fake_helper import FakeHelper
from support.front_end import authority_of, shown_number
from support.plain_server import says, server
from support.tray import TIMEOUT, after_problems, client, following, in_thread, run
from support.until import until_async
from support.vault import FakeVault, host_with


@pytest.fixture
def posing(tmp_path: Path) -> Iterator[FakeHelper]:
    """A helper that takes us for a user who must repeat a number."""
    with FakeHelper(tmp_path / "posing", posing=True) as helper:
        yield helper


async def until_problem(next_message: Any, kind: ProblemKind) -> Problem:
    """The first problem of `kind`."""
    while not (isinstance(message := await next_message(), Problem) and message.kind is kind):
        pass
    return message


def test_the_number_is_asked_for_as_a_problem(posing: FakeHelper) -> None:
    """The page shows it, the user types it, and the state comes; a wrong one is asked for again."""

    async def go() -> None:
        async with client(posing.path) as tray, following(tray.messages()) as message:
            asked = await until_problem(message, ProblemKind.NUMBER_NEEDED)
            assert asked.expires is not None
            assert 60 < asked.expires - time.time() <= 120
            assert any("sudo slopn devices" in line for line in asked.lines)
            right = shown_number(posing)
            tray.give_number("000000" if right != "000000" else "000001")
            again = await until_problem(message, ProblemKind.NUMBER_NEEDED)
            assert again.lines == ("That isn't the number: 2 tries are left.",)
            tray.give_number(right)
            assert isinstance(await after_problems(message), Snapshot)
            assert await tray.submit(Connect("x")) == Done()

    run(go())


def test_a_number_typed_too_early_is_no_answer(posing: FakeHelper) -> None:
    """Each question has its own answer: an old one doesn't cost a try."""

    async def go() -> None:
        async with client(posing.path) as tray, following(tray.messages()) as message:
            tray.give_number("1")
            tray.give_number("2")
            await until_problem(message, ProblemKind.NUMBER_NEEDED)
            tray.give_number(shown_number(posing))
            assert isinstance(await after_problems(message), Snapshot)

    run(go())


def test_after_a_failed_pairing_nothing_is_tried_unasked(posing: FakeHelper) -> None:
    """Else the journal would fill with numbers that nobody wants; `retry` begins anew."""

    async def go() -> None:
        async with client(posing.path) as tray, following(tray.messages()) as message:
            for _ in range(3):
                await until_problem(message, ProblemKind.NUMBER_NEEDED)
                tray.give_number("x")
            over = await until_problem(message, ProblemKind.NOT_PAIRED)
            assert over.retry_in is None
            with pytest.raises(Trouble) as raised:
                await tray.submit(Connect("x"))
            assert raised.value.kind == NOT_PAIRED
            assert len(posing.gatekeeper.shown) == 1
            tray.retry()
            # The helper makes us wait after three wrong numbers; that is its answer, not ours.
            await until_problem(message, ProblemKind.LIMITED)

    run(go())


def test_quitting_ends_the_question(posing: FakeHelper) -> None:
    """Nobody waits two minutes for a number when the program is closed."""

    async def go() -> HelperClient:
        async with client(posing.path) as tray, following(tray.messages()) as message:
            await until_problem(message, ProblemKind.NUMBER_NEEDED)
        return tray

    run(go())
    for thread in threading.enumerate():
        if thread.name.startswith("pairing tray"):
            thread.join(TIMEOUT)
            assert not thread.is_alive()


def test_a_revoked_tray_is_paired_again(helper: FakeHelper) -> None:
    """Its connection ends at once; it says what happened, and the state comes again, also when that happens twice."""
    said: list[str] = []

    async def go() -> None:
        tray = HelperClient(helper.path, "tray", say=said.append, first_delay=0.01, longest_delay=0.05)
        async with tray, following(tray.messages()) as message:
            assert isinstance(await message(), Snapshot)
            for _ in range(2):
                devices = await in_thread(helper.run, lambda: helper.hub.devices)
                mine = next(device.id for device in devices if device.name == "tray")
                await tray.submit(RevokeDevice(mine))
                assert isinstance(await after_problems(message), Snapshot)
                assert await tray.submit(Connect("x")) == Done()

    run(go())
    assert said.count("This front end's pairing was ended, so it must be paired again.") == 2


def test_a_locked_keyring_is_told_until_it_is_unlocked(helper: FakeHelper) -> None:
    """Nothing prompts; commands fail at once, and all goes on when the user has unlocked it."""
    vault = FakeVault(Locked())

    async def go() -> None:
        async with (
            client(helper.path, host=host_with(vault, graphical=True)) as tray,
            following(tray.messages()) as message,
        ):
            await until_problem(message, ProblemKind.KEYRING_LOCKED)
            with pytest.raises(Trouble) as raised:
                await tray.submit(Connect("x"))
            assert raised.value.kind == KEYRING_LOCKED
            vault.failure = None
            tray.retry()
            assert isinstance(await after_problems(message), Snapshot)

    run(go())


def test_the_keyring_is_asked_once(helper: FakeHelper) -> None:
    """A restart of the helper must not depend on the keyring, which may be locked by then."""
    vault = FakeVault()

    async def go() -> None:
        async with client(helper.path, host=host_with(vault, graphical=True)) as tray:
            await tray.submit(GetSnapshot())
            vault.failure = Locked()
            before = tray._conversation
            assert before is not None
            before.close()
            await until_async(lambda: tray._conversation not in {None, before}, TIMEOUT, "a new connection")
            assert isinstance(await tray.submit(GetSnapshot()), Snapshot)

    run(go())


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (Greeting(protocol=(2, 0)), ProblemKind.INCOMPATIBLE),
        (Greeting(refused=Refused(ErrorKind.NOT_PERMITTED, "Not you.")), ProblemKind.NOT_PERMITTED),
    ],
)
def test_what_only_a_person_can_change_is_told(tmp_path: Path, greeting: Greeting, kind: ProblemKind) -> None:
    """It is tried again from time to time all the same: they may have changed it."""

    async def go(path: str) -> None:
        async with client(path) as tray, following(tray.messages()) as message:
            problem = await until_problem(message, kind)
            assert problem.retry_in == 0.05
            with pytest.raises(Trouble):
                await tray.submit(Connect("x"))

    with server(tmp_path, says(frame(encode(greeting)))) as path:
        run(go(path))


def test_a_front_end_that_is_due_is_renewed_at_the_start(helper: FakeHelper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once connected; the connection stays."""
    monkeypatch.setattr("slopn_app.credentials.store.Held.due", lambda *_: True)

    async def go() -> None:
        async with client(helper.path) as tray:
            await tray.submit(GetSnapshot())
            before = tray._conversation
            store = tray._access._pairing._store
            await until_async(
                lambda: len(store.read(authority_of(helper))) == 2, TIMEOUT, "the new certificate is on disk"
            )
            assert isinstance(await tray.submit(GetSnapshot()), Snapshot)
            assert tray._conversation is before

    run(go())
