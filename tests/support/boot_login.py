"""Users who are logged in to a booted system: at its screen or from afar, as logind sees them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from support.boot import BootedSystem

_PROGRAM = Path(__file__).with_name("boot_session.py")
_SERVICE = "slopn-lab"
_PAM = "session required pam_unix.so\nsession required pam_systemd.so\n"


class Login:
    """A login session of `user` while entered: at `seat`, or from the address `remote`, or (neither) like cron's.

    The newest session of the seat is the active one, until another one is activated or it ends.
    """

    def __init__(self, system: BootedSystem, user: str, *, seat: str | None = None, remote: str | None = None) -> None:
        self._system = system
        self.user = user
        self._settings = []
        if seat is not None:
            self._settings += [f"XDG_SEAT={seat}", "XDG_SESSION_TYPE=x11", "XDG_SESSION_CLASS=user"]
        if remote is not None:
            self._settings += [f"RHOST={remote}", "TTY=ssh", "XDG_SESSION_TYPE=tty", "XDG_SESSION_CLASS=user"]
        self._leader: subprocess.Popen[Any] | None = None
        self.id = ""
        """As logind names it."""

    def __enter__(self) -> Self:
        self._system.write(f"/etc/pam.d/{_SERVICE}", _PAM)
        self._leader = self._system.popen(
            ["/usr/bin/python3", str(_PROGRAM), _SERVICE, self.user, *self._settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._leader.stdout is not None
        self.id = self._leader.stdout.readline().strip()
        if not self.id or " " in self.id:
            raise RuntimeError(f"{self.user} can't log in: {self.id} {self._leader.stdout.read()}")
        return self

    def __exit__(self, *_: object) -> None:
        """Log out; what the user left running stays, as it does everywhere."""
        assert self._leader is not None
        assert self._leader.stdin is not None
        self._leader.stdin.close()
        self._leader.wait(20.0)

    def activate(self) -> None:
        """Bring this session to the front of its seat."""
        self._system.run(["loginctl", "activate", self.id])

    def show(self, name: str) -> str:
        """A property of the session, as `loginctl show-session` prints it."""
        return self._system.run(["loginctl", "show-session", self.id, "--value", f"--property={name}"]).stdout.strip()

    def run(
        self,
        cmd: str | Sequence[str],
        *,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run `cmd` as the user, in this session."""
        return self._system.run(cmd, check=check, user=self.user, scope=self._scope, env=env, timeout=timeout)

    def popen(
        self,
        cmd: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        text: bool = False,
    ) -> subprocess.Popen[Any]:
        """Start `cmd` as the user, in this session."""
        return self._system.popen(
            cmd, user=self.user, scope=self._scope, env=env, stdin=stdin, stdout=stdout, stderr=stderr, text=text
        )

    @property
    def _scope(self) -> str:
        return self.show("Scope")
