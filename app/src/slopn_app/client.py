"""The helper as tray and window see it: one connection for everything, that heals itself for as long as they run.

`async with HelperClient(path, "tray") as client:` and then `client.views()`, `client.submit(…)`, `client.logs(…)`. Whatever
becomes of the helper in the meantime (killed, upgraded, this front end revoked) is a `Problem` among what they yield, until
it is over; then the whole state comes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Self

from slopn_app import bootstrap
from slopn_app.access import Access, Unpaired, accepted
from slopn_app.applicant import NumberWanted
from slopn_app.conversation import Conversation
from slopn_app.feed import Feed, Problem, ProblemKind
from slopn_app.host.parts import Host
from slopn_app.trouble import HungUp, Late, Nonsense, Trouble
from slopn_app.view import apply
from slopn_wire.commands import (
    Command,
    Diagnose,
    ExportProfile,
    FollowLogs,
    GetLogs,
    GetPairings,
    GetSnapshot,
    GetUsers,
    Replay,
    Watch,
)
from slopn_wire.events import ErrorKind, Event, Lagged, Refused, Reply, Result, Resumed, Snapshot
from slopn_wire.logs import LogFilter, Logs

FIRST_DELAY = 0.05
LONGEST_DELAY = 0.5
"""Seconds between tries to reach a helper that is gone: doubled each time, from the first to the longest."""
SLOW_DELAY = 5.0
"""Seconds before another try where only a person can help."""
REPLY_TIMEOUT = 15.0
"""Seconds for one command, a restart of the helper on the way included."""
MOST_RESENDS = 3
RENEWAL_CHECK = 6 * 3600.0
_FAR = 1e12  # Unix time of no log line
_PASSING = frozenset({ProblemKind.UNREACHABLE, ProblemKind.TIMED_OUT, ProblemKind.LIMITED})
_HARMLESS = (GetSnapshot, Watch, GetLogs, FollowLogs, GetPairings, GetUsers, ExportProfile, Diagnose, Replay)


_NUMBER_NEEDED = (
    "SloPN's service doesn't know this program yet.",
    "It shows a number of six digits: `sudo slopn devices` says it, and `journalctl -u slopn-helper` does.",
)


class HelperClient:
    """See the module. `front_end`: `tray` or `window`. `say`: tells the user a sentence about the pairing; any thread.

    For one event loop. `host`: the parts of this system, chosen by `bootstrap` if left out.
    """

    def __init__(
        self,
        path: str,
        front_end: str,
        *,
        say: Callable[[str], None] = lambda _: None,
        host: Host | None = None,
        first_delay: float = FIRST_DELAY,
        longest_delay: float = LONGEST_DELAY,
        slow_delay: float = SLOW_DELAY,
    ) -> None:
        self.feed = Feed()
        parts = bootstrap.host() if host is None else host
        self._access = Access(front_end, path, parts, say=say, wanted=self._number_wanted)
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._slow_delay = slow_delay
        self._conversation: Conversation | None = None
        self._known: Snapshot | None = None
        self._try_now = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._running = [self._tasks.create_task(self._run()), self._tasks.create_task(self._renew())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._access.close()
        for task in self._running:
            task.cancel()
        # A task's failure comes as our cancellation; the caller's own exceptions are no business of the group's.
        ours = kind is None or not issubclass(kind, asyncio.CancelledError)
        await self._tasks.__aexit__(*((None, None, None) if ours else (kind, error, trace)))

    def messages(self) -> AsyncGenerator[Snapshot | Event | Problem]:
        """The whole state, then each change, for ever; events follow the snapshot before them without a gap.

        A `Problem` says that what was known holds no more; a snapshot comes after it. Close it (`aclosing`).
        """
        return self.feed.messages()

    def views(self) -> AsyncGenerator[Snapshot | Problem]:
        """The whole state as it is now, again after each change; a reader that is slow gets the latest alone."""
        return self.feed.views()

    async def submit(self, command: Command, within: float = REPLY_TIMEOUT) -> Result:
        """Have a command carried out, once, also if the helper is restarted meanwhile. A refusal is a result.

        Raises `Trouble` when there is no answer within so many seconds, or can't be any before a person has done something.
        """
        key = "" if isinstance(command, _HARMLESS) else os.urandom(12).hex()
        try:
            async with asyncio.timeout(within):
                for _ in range(MOST_RESENDS):
                    with contextlib.suppress(HungUp):
                        return await self._asked(command, key)
                return await self._asked(command, key)
        except TimeoutError:
            problem = self.feed.problem
            raise (Late(within) if problem is None else Trouble(problem.kind, *problem.lines)) from None

    async def logs(
        self, wanted: LogFilter | None = None, since: float = 0.0, after: int = 0
    ) -> AsyncGenerator[Logs | Problem]:
        """Lines of the log from `since` (Unix time) and above number `after`, then those that come, for ever.

        Over a connection of its own. A `Problem` says that it was lost; the lines go on where they broke off, and
        `Logs.missed` counts what the helper had no more. Close it (`aclosing`).
        """
        wanted = LogFilter() if wanted is None else wanted
        epoch = ""
        delay = self._first_delay
        while True:
            trouble: Trouble = HungUp()
            try:
                async with self._access.talk() as talk, contextlib.aclosing(talk.messages()) as messages:
                    asked = talk.send(GetLogs(wanted, since=_FAR))  # no line: only whose numbers `after` would mean
                    async for message in messages:
                        if isinstance(message, Logs):
                            after = message.lines[-1].number if message.lines else after
                            yield message
                        elif isinstance(message, Reply):
                            result = accepted(message.result)
                            if message.id == asked and isinstance(result, Logs):
                                after = 0 if epoch and epoch != result.epoch else after
                                epoch = result.epoch
                                talk.send(FollowLogs(wanted, since, after))
                                delay = self._first_delay
            except Unpaired as error:
                # The connection that has the watch finds out as well, and pairs.
                trouble = Trouble(ProblemKind.NOT_PAIRED, str(error))
            except Trouble as error:
                trouble = error
            problem, delay = self._problem(trouble, delay)
            yield problem
            await asyncio.sleep(problem.retry_in or self._slow_delay)

    def give_number(self, number: str) -> None:
        """What the user typed after `NUMBER_NEEDED`."""
        self._access.give_number(number)

    def retry(self) -> None:
        """Try again now: the user has done something about the problem, or wants to be paired."""
        self._try_now.set()

    async def _run(self) -> None:
        delay = self._first_delay
        while True:
            try:
                async with self._access.talk() as talk:
                    try:
                        await self._serve(talk)
                    finally:
                        if self._conversation is not None:
                            delay = self._first_delay
                        self._conversation = None
            except Unpaired as error:
                delay = await self._pair_again(str(error), delay)
            except Trouble as trouble:
                delay = await self._wait(trouble, delay)

    async def _serve(self, talk: Conversation) -> None:
        """Keep the feed up to date for as long as the connection lasts."""
        asked: int | None = self._watch(talk)
        async with contextlib.aclosing(talk.messages()) as messages:
            async for message in messages:
                if isinstance(message, Reply):
                    # Another id's: somebody has asked and not waited for the answer.
                    result = accepted(message.result) if message.id in {asked, 0} else None
                    if result is not None and message.id == asked:
                        asked = None
                        new = self._conversation is None
                        if new:
                            await self._access.accepted()
                            self._conversation = talk
                        if not self._begun(result, new=new):
                            asked = self._watch(talk)
                elif isinstance(message, Logs) or asked is not None or self._known is None:
                    continue  # of the watch before: what was asked for holds it
                elif isinstance(message, Lagged) or message.seq != self._known.seq + 1:
                    asked = self._watch(talk)
                else:
                    self._known = apply(self._known, message)
                    self.feed.publish(self._known, message)

    def _watch(self, talk: Conversation) -> int:
        return talk.send(Watch() if self._known is None else Watch(self._known.seq, self._known.epoch))

    def _begun(self, result: Result, *, new: bool) -> bool:
        """Whether `result` says where the events that follow begin. `new`: those who wait for a connection wait for it."""
        if isinstance(result, Snapshot):
            self._known = result
        elif not isinstance(result, Resumed):
            raise Nonsense(f"{type(result).__name__} for a watch")
        elif self._known is None or result.seq != self._known.seq:
            self._known = None
            return False
        elif not new:
            return True
        self.feed.publish(self._known, self._known)
        return True

    async def _reached(self) -> Conversation:
        while self._conversation is None:
            problem = self.feed.problem
            if problem is not None and problem.kind not in _PASSING:
                raise Trouble(problem.kind, *problem.lines)
            await self.feed.changed()
        return self._conversation

    async def _asked(self, command: Command, key: str) -> Result:
        talk = await self._reached()
        result = await talk.ask(command, key)
        if isinstance(result, Refused) and result.kind is ErrorKind.NOT_PAIRED:
            talk.close()  # connecting anew finds out what is to be done
            raise HungUp
        return result

    async def _pair_again(self, message: str, delay: float) -> float:
        try:
            await self._access.refused(message)
        except Trouble as trouble:
            return await self._wait(trouble, delay)
        return delay

    def _number_wanted(self, wanted: NumberWanted) -> None:
        lines = (wanted.wrong,) if wanted.wrong else _NUMBER_NEEDED
        self.feed.publish(None, Problem(ProblemKind.NUMBER_NEEDED, lines, expires=wanted.expires))

    async def _wait(self, trouble: Trouble, delay: float) -> float:
        """Tell of the trouble and sit it out; the delay of the next one."""
        problem, following = self._problem(trouble, delay)
        self.feed.publish(None, problem)
        self._try_now.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(problem.retry_in):
                await self._try_now.wait()
        return following

    def _problem(self, trouble: Trouble, delay: float) -> tuple[Problem, float]:
        """What front ends are told, and the delay after the one that is in it."""
        kind = ProblemKind(trouble.kind) if trouble.kind in set(ProblemKind) else ProblemKind.FAILED
        if kind in _PASSING:
            return Problem(kind, trouble.lines, delay), min(delay * 2, self._longest_delay)
        # Each try to pair shows a number in the journal: none without somebody who wants it.
        return Problem(kind, trouble.lines, None if kind is ProblemKind.NOT_PAIRED else self._slow_delay), delay

    async def _renew(self) -> None:
        while True:
            while self._conversation is None:
                await self.feed.changed()
            await self._access.renew()
            await asyncio.sleep(RENEWAL_CHECK)
