"""Users of a private namespace, with homes of their own, who may use the helper there and are paired with it."""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from load.home import TESTS, environment
from support.helper_process import HelperProcess

PYTHON = sys.executable


class Person:
    """A user who is not root. `env`: what their programs find; more may be put in."""

    def __init__(self, helper: HelperProcess, folder: Path, name: str, uid: int) -> None:
        """Make the user: known in the helper's namespace, with a home in `folder`, and let in by root."""
        self.name = name
        self.uid = uid
        self.home = folder / name
        self._helper = helper
        self.env: dict[str, str] = {
            **environment(self.home),
            "SLOPN_SOCKET": str(helper.socket),
            "PYTHONPATH": str(TESTS),
            # An installed package has its bytecode beside it; here whoever runs a program first leaves it there.
            "PYTHONDONTWRITEBYTECODE": "",
        }
        self.home.mkdir(mode=0o700)
        (self.home / "run").mkdir(mode=0o700)
        for path in (self.home, self.home / "run"):
            os.chown(path, uid, uid)
        with (helper.namespace.root() / "etc/passwd").open("a", encoding="ascii") as users:
            users.write(f"{name}:x:{uid}:{uid}::{self.home}:/bin/sh\n")
        done = helper.cli("users", "add", name)
        if done.returncode:
            raise RuntimeError(f"{name} can't be added: {done.stderr}")

    def popen(self, *argv: str, env: Mapping[str, str] | None = None, log: int | None = None) -> subprocess.Popen[str]:
        """Start a program as this user, with streams to talk to. It ends with the namespace, if not before."""
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--", *argv]
        process: subprocess.Popen[str] = self._helper.namespace.popen(
            become,
            env={**self.env, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        return process

    def run(self, *argv: str, env: Mapping[str, str] | None = None, timeout: float = 120.0) -> str:
        """Run a program as this user; what it prints. Raises `RuntimeError`."""
        process = self.popen(*argv, env=env, log=subprocess.PIPE)
        out, err = process.communicate(timeout=timeout)
        if process.returncode:
            raise RuntimeError(f"{argv} of {self.name} ended with {process.returncode}: {err[-2000:]}")
        return out

    def pair(self) -> None:
        """Pair the user's command line: root reads the number out, the user repeats it."""
        process = self.popen(PYTHON, "-m", "load.pairing_user", str(self._helper.socket))
        while (said := hear(process)) != {"paired": True}:
            tell(process, self._number(said))
        process.communicate(timeout=10)

    def _number(self, said: Any) -> str:
        done = self._helper.cli("devices", "--json")
        waiting = [
            each["number"] for each in json.loads(done.stdout)["waiting"] if each["pairing"]["user"] == self.name
        ]
        if not waiting:
            raise RuntimeError(f"{self.name} doesn't wait to be paired, but was asked: {said}")
        return str(waiting[-1])


def make(helper: HelperProcess, folder: Path, name: str, uid: int) -> Person:
    """A user whose command line is paired."""
    person = Person(helper, folder, name, uid)
    person.pair()
    return person


def tag() -> str:
    """Part of a name that nothing else on this machine has."""
    return secrets.token_hex(3)


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Write a line to a program."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str], within: float = 60.0) -> Any:
    """The next line of a program, a JSON document. Raises `RuntimeError` when it has ended, `TimeoutError`."""
    assert process.stdout is not None
    # A line is there at once or not at all: each of these programs writes it whole, and waits to be heard.
    if not select.select([process.stdout], [], [], within)[0]:
        raise TimeoutError(f"{process.args!r} says nothing")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait(10)}")
    return json.loads(line)
