"""Users of the computer that is attacked, each with a process of its own, and what they say to the helper."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from slopn_wire.framing import MAX_MESSAGE, Deframer
from slopn_wire.greeting import HOST, Greeting
from support.blunt import PATIENCE, Blunt
from support.certificates import Shown, client_context, use
from support.helper_process import HelperProcess

_ACTOR = Path(__file__).with_name("actor.py")
PYTHON = Path(sys.executable).resolve()
"""Outside of the virtual environment, so that others may run it."""


class Line(Blunt):
    """A front end's side of the wire over a socket that is connected already. A context."""

    def __init__(self, end: socket.socket) -> None:
        self.socket: socket.socket | ssl.SSLSocket = end
        end.settimeout(PATIENCE)
        self._frames = Deframer(MAX_MESSAGE)
        self._ready: list[bytes] = []
        self._ids = 0

    def greeted(self) -> Greeting:
        """The greeting, which must be there and refuse nothing."""
        greeting = self.greeting()
        assert greeting is not None
        assert greeting.refused is None, greeting.refused
        return greeting

    def secure(self, shown: Shown | None = None, context: ssl.SSLContext | None = None) -> Self:
        """TLS after the greeting, with a certificate or none, or as `context` has it. Raises `OSError`."""
        greeting = self.greeted()
        if context is None:
            context = client_context(greeting.authority)
        if shown is not None:
            use(context, shown)
        self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        return self

    def ended(self) -> bool:
        """Whether the helper hangs up before it says another word, within the test's patience."""
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


class Actor:
    """A process of the user `uid` inside the helper's namespace, which connects for the test.

    `program`: the Python that it runs. `become`: the command that makes it that user, in front of that.
    """

    def __init__(
        self, helper: HelperProcess, uid: int, *, program: Path = PYTHON, become: Sequence[str] | None = None
    ) -> None:
        self._helper = helper
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(PATIENCE)
        with theirs:
            self.process: subprocess.Popen[bytes] = helper.namespace.popen(
                [*(become or ()), str(program), "-I", "-S", str(_ACTOR), *([] if become else [str(uid)])],
                stdin=theirs.fileno(),
            )
        assert self._channel.recv(16) == b"ready"

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    def connect(self, path: str | None = None) -> socket.socket:
        """A socket that this user has connected. Raises `OSError` as connect(2) did."""
        self._channel.sendall((path or str(self._helper.socket)).encode())
        said, ends, _, _ = socket.recv_fds(self._channel, 16, 1)
        if said != b"0":
            raise OSError(int(said), "connect")
        return socket.socket(fileno=ends[0])

    def end(self) -> None:
        """Let the process end, and wait for that."""
        self._channel.close()
        self.process.wait(PATIENCE)


class Person:
    """A user without root's rights. `actor`: the process that connects; another one may be started."""

    def __init__(self, helper: HelperProcess, uid: int, name: str) -> None:
        self.uid = uid
        self.name = name
        self._helper = helper
        self.actor = Actor(helper, uid)

    def line(self) -> Line:
        """A connection of this user's, before the greeting."""
        return Line(self.actor.connect())

    def secured(self, shown: Shown | None = None) -> Line:
        """The same with TLS. Raises `OSError`."""
        line = self.line()
        try:
            return line.secure(shown)
        except BaseException:
            line.socket.close()
            raise

    def turned_away(self) -> Greeting | None:
        """What a connection of this user's hears instead of a greeting."""
        with self.line() as line:
            return line.greeting()

    def run(self, program: Path, become: Sequence[str] | None = None) -> None:
        """Let another program connect from now on, see `Actor`."""
        self.end()
        self.actor = Actor(self._helper, self.uid, program=program, become=become)

    def end(self) -> None:
        """End the user's process."""
        with suppress(OSError):
            self.actor.end()
