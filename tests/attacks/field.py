"""The real helper under attack: its users, what it must keep, what it may spend, and what it must write down."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from attacks.forger import private
from attacks.people import PYTHON, Line, Person
from load.usage import forget_peak, memory, peak
from slopn_wire.commands import (
    AddUser,
    Command,
    ConfirmPairing,
    GetPairings,
    GetSnapshot,
    GetUsers,
    Pair,
    RemoveUser,
)
from slopn_wire.devices import Right
from slopn_wire.events import Done, NumberNeeded, Paired, Pairings, Result, Snapshot, Users
from support.certificates import Key, Shown, new_key, request_for
from support.helper_process import HelperProcess
from support.netns import Namespace
from support.until import until

MOST = 20_000_000
"""Bytes that no attack may cost the helper."""
PATIENCE = 20.0
PREFIX = Path("/run/prefix")
"""Where our own front ends would be installed, in the helper's namespace."""
_UIDS = itertools.count(64200)
_REFUSED = re.compile(
    r"^\d\d:\d\d:\d\d warning ipc\.visitor: refused uid=(\d+) why=([a-z_]+) pid=(\d+) session=(\S+)(?: more=(\d+))? "
    r'user=("(?:[^"\\]|\\.)*") exe=("(?:[^"\\]|\\.)*")$',
    re.MULTILINE | re.ASCII,
)


class Refusal(NamedTuple):
    """A line of the log."""

    uid: int
    why: str
    pid: int
    user: str
    exe: str


class Truth(NamedTuple):
    """What an attack must leave as it is: all but who is paired."""

    users: object
    profiles: object
    settings: object
    target: object
    state: object


class Held(NamedTuple):
    """A paired front end: what it shows, and its device."""

    shown: Shown
    device: str


class _Helper(HelperProcess):
    def __init__(self, namespace: Namespace, runtime_dir: Path, env: dict[str, str], module: str | None) -> None:
        super().__init__(namespace, runtime_dir=runtime_dir, log_level="info", env=env)
        self._module = module

    def command(self, *arguments: str) -> list[str]:
        program, *rest = super().command(*arguments)
        argv = [program, *rest] if self._module is None else [sys.executable, "-m", self._module, *rest]
        return [*argv, "--prefix", str(PREFIX)]


class Field:
    """A context. State, namespace and users last from one restart of the helper to the next.

    `module`: the helper's program. Its socket can be reached by every user of this computer.
    """

    def __init__(self, module: str | None = None, env: dict[str, str] | None = None) -> None:
        self._module = module
        self._env = env or {}
        self._stack = contextlib.ExitStack()
        self._mark = 0
        self._before = 0
        self._root: Shown | None = None
        self._people: list[Person] = []
        self._allowed: set[str] = set()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.namespace = stack.enter_context(Namespace("attack", private=True))
            # Not below the helper's own folder, which is root's: every user must be able to reach the socket.
            self.folder = Path(tempfile.mkdtemp(prefix=f"{self.namespace.name}-field-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.folder.chmod(0o755)
            front_end = self.namespace.root() / PREFIX.relative_to("/") / "bin/slopn"
            front_end.parent.mkdir(mode=0o755, parents=True)
            front_end.parent.parent.chmod(0o755)
            shutil.copy(PYTHON, front_end)
            self.helper = _Helper(self.namespace, self.folder / "run", self._env, self._module)
            stack.callback(self.helper.__exit__)
            self.helper.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for person in self._people:
            person.end()
        self._stack.close()

    @property
    def state(self) -> Path:
        """The helper's state directory."""
        return self.helper.state_dir

    def restart(self, *, gently: bool = False) -> None:
        """Kill the helper, or let it end in order, and start it again."""
        if gently:
            assert self.helper.terminate() == 0
        else:
            self.helper.kill()
        self.helper.start()

    # Who is there.

    def root(self) -> Line:
        """A new connection of root's, paired, with every right."""
        if self._root is None:
            key = new_key()
            with self.line().secure() as first:
                paired = first.ask(Pair("root's", request_for(key)))
            assert isinstance(paired, Paired), paired
            self._root = Shown(key, paired.certificate)
        return self.line().secure(self._root)

    def line(self) -> Line:
        """A new connection of root's, before the greeting."""
        end = socket.socket(socket.AF_UNIX)
        end.connect(str(self.helper.socket))
        return Line(end)

    @property
    def root_shown(self) -> Shown | None:
        """What root shows, once root was paired."""
        return self._root

    def forget_root(self) -> None:
        """Root's own pairing is gone: the next time it is paired anew."""
        self._root = None

    def ask_root(self, command: Command) -> Result:
        """The answer to a command of root's, over a connection of its own."""
        with self.root() as line:
            return line.ask(command)

    def stranger(self, name: str | None = None) -> Person:
        """A new user of this computer who may not use SloPN."""
        uid = next(_UIDS)
        person = Person(self.helper, uid, name or f"user{uid}")
        self._people.append(person)
        with (self.namespace.root() / "etc/passwd").open("a", encoding="ascii") as users:
            users.write(f"{person.name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n")
        return person

    def user(self, name: str | None = None) -> Person:
        """A new user who may, because root has said so; without a paired front end."""
        person = self.stranger(name)
        self.allow(person.name)
        return person

    def allow(self, name: str) -> None:
        """`slopn users add NAME`, by root."""
        assert self.ask_root(AddUser(name)) == Done()
        self._allowed.add(name)

    def forbid(self, name: str) -> None:
        """`slopn users remove NAME`, by root."""
        assert self.ask_root(RemoveUser(name)) == Done()
        self._allowed.discard(name)

    def pair(self, person: Person, rights: Iterable[Right] = Right, key: Key | None = None) -> Held:
        """A front end of that user's, with these rights, paired as the design has it: root reads the number out."""
        key = key or new_key()
        with person.secured() as line:
            needed = line.ask(Pair("test", request_for(key), tuple(rights)))
            assert isinstance(needed, NumberNeeded), needed
            paired = line.ask(ConfirmPairing(needed.pairing, self.number(needed.pairing)))
        assert isinstance(paired, Paired), paired
        return Held(Shown(key, paired.certificate), paired.device)

    def number(self, pairing: str) -> str:
        """The number of a pairing that waits, as root reads it."""
        shown = self.ask_root(GetPairings())
        assert isinstance(shown, Pairings)
        return next(each.number for each in shown.pairings if each.pairing.id == pairing)

    def chain(self, held: Held) -> Path:
        """Key and certificate as a file for programs; anybody may read it."""
        path = self.folder / f"{held.device}.pem"
        path.write_bytes(private(held.shown) + held.shown.certificate.encode())
        path.chmod(0o644)
        return path

    # What must hold.

    def truth(self) -> Truth:
        """As root sees it."""
        with self.root() as line:
            view, users = line.ask(GetSnapshot()), line.ask(GetUsers())
        assert isinstance(view, Snapshot)
        assert isinstance(users, Users)
        others = tuple(each for each in users.users if each.name not in self._allowed)
        return Truth(others, view.profiles, view.settings, (view.target, view.target_profile), view.state)

    def devices(self, uid: int) -> list[str]:
        """The paired front ends of a user."""
        view = self.ask_root(GetSnapshot())
        assert isinstance(view, Snapshot)
        return [device.id for device in view.devices if device.uid == uid]

    @contextlib.contextmanager
    def endured(self) -> Iterator[None]:
        """Whatever happens in here: nothing is changed, it costs little memory, and root is served after it."""
        self.begin()
        before = self.truth()
        yield
        assert self.helper.alive, self.helper.tail()
        assert self.truth() == before
        assert self.cost() < MOST
        assert "defect" not in self.said(), self.said()
        assert "Traceback" not in self.said(), self.said()

    def begin(self) -> None:
        """Look from now on: at the log, and at memory."""
        self._mark = len(self.helper.log())
        self._before = memory(self.helper.pid)
        forget_peak(self.helper.pid)

    def cost(self) -> int:
        """Bytes that the helper has grown by at most since `begin`."""
        return peak(self.helper.pid) - self._before

    def said(self) -> str:
        """The log since `begin`."""
        return self.helper.log()[self._mark :]

    def refusals(self, person: Person | int) -> list[Refusal]:
        """The lines about a user since `begin`, in order."""
        uid = person if isinstance(person, int) else person.uid
        found = (_REFUSED.findall(self.said()),)
        return [
            Refusal(int(match[0]), match[1], int(match[2]), json.loads(match[5]), json.loads(match[6]))
            for match in found[0]
            if int(match[0]) == uid
        ]

    def refused(self, person: Person | int, *whys: str) -> None:
        """Wait until the log says of that user exactly this, each in one line."""

        def written() -> bool:
            return len(self.refusals(person)) >= len(whys)

        until(written, PATIENCE, f"the log has {whys}")
        assert [each.why for each in self.refusals(person)] == list(whys)
