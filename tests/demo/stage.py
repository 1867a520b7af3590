"""Everything the demo's steps play with: the lab, the far end, the helper under its supervisor, the capture."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple, Self

from demo.desktop import Desktop
from demo.gateway import FarEnd
from demo.live import Live
from demo.screen import Screen
from demo.supervisor import Supervisor
from support.capture import Capture
from support.fingerprint import fingerprint
from support.generator import Generator
from support.helper_process import BIN, HelperProcess
from support.internet import Seen
from support.netns import Namespace
from support.topology import WEB4, WEB6, Lab

PROFILE = "demo"


class Check(NamedTuple):
    """One thing that a step looked at: the sentence that is ticked or crossed, and what was seen instead."""

    good: bool
    sentence: str
    seen: str = ""


class Stage:
    """Up while entered; every part is removed at the end, whatever happened.

    `pictures`: there is a desktop, too, and its pictures go there.
    """

    def __init__(self, screen: Screen, pictures: Path | None = None) -> None:
        self.screen = screen
        self.desktop: Desktop | None = None
        self._pictures = pictures
        self.lab = Lab()
        self.generator: Generator | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.lab)
            self.gateway = stack.enter_context(FarEnd(self.lab))
            self.before = fingerprint(self.lab.client)
            self.helper = HelperProcess(self.lab.client)
            stack.callback(self.helper.__exit__)
            self.supervisor = stack.enter_context(Supervisor(self.helper))
            self.capture: Capture = stack.enter_context(self.lab.capture())
            self.live = stack.enter_context(Live(self.helper, self.screen))
            if self._pictures is not None:
                self.screen.detail("starting tray and window")
                self.desktop = stack.enter_context(Desktop(self.helper, self._pictures))
            self.link = self.gateway.link()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        # A second Ctrl-C must not stop the cleaning up after the first.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.screen.detail("")
        self.stop_generator()
        self._stack.close()

    def slopn(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Show and run a `slopn` command on the laptop; of a link only where it leads is shown."""
        shown = (f"{part.partition('&')[0]}&…" if part == self.link else part for part in arguments)
        self.screen.command(" ".join(["slopn", *(f"'{part}'" if "&" in part else part for part in shown)]))
        return self.helper.cli(*arguments)

    def kill_switch(self, mode: str) -> None:
        """Set the kill switch. Raises `RuntimeError` when the helper refuses."""
        done = self.slopn("settings", "set", "kill_switch", mode)
        if done.returncode:
            raise RuntimeError(f"slopn settings ended with {done.returncode}: {done.stderr or done.stdout}")

    def seen(self) -> Seen:
        """What the internet's servers have seen so far."""
        return self.lab.internet.seen()

    def visit(self, *, six: bool = False) -> str:
        """Ask the web server who the laptop is; its answer, or what went wrong."""
        url = f"http://[{WEB6}]/" if six else f"http://{WEB4}/"
        done = self.lab.client.run(["curl", "-sS", "-m", "5", url], check=False)
        return done.stdout or done.stderr.strip()

    def start_generator(self) -> Generator:
        """Let the laptop send everything a program may send, until it is stopped or a minute is over."""
        self.stop_generator()
        self.generator = Generator(self.lab.client, self.lab.uplinks).__enter__()
        return self.generator

    def stop_generator(self) -> int:
        """End the generator; how many packets it tried to send."""
        if self.generator is None:
            return 0
        tried = sum(self.generator.stop().values())
        self.generator = None
        return tried

    def write_wrappers(self) -> dict[str, Path]:
        """A small script for each host, that runs a command on it; for `--stay`."""
        made = {}
        for name, host in (
            ("laptop", self.lab.client),
            ("router", self.lab.router),
            ("gateway", self.lab.gateway),
            ("web", self.lab.web),
        ):
            made[name] = self._wrapper(name, host)
        return made

    def _wrapper(self, name: str, host: Namespace) -> Path:
        path = self.lab.dir / name
        front_end = [f"{name}={value}" for name, value in self.helper.front_end.items()]
        inside = shlex.join(host.command(["env", *front_end, f"PATH={BIN}:{os.environ['PATH']}"]))
        path.write_text(f'#!/bin/sh\nexec {inside} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return path
