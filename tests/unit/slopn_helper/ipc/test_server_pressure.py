"""Hostile local users over the real socket: what they may cost the helper, and that root is served meanwhile.

Each attack comes from a process of another user; the helper is a process of its own, so that its memory can be measured.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from slopn_wire.commands import Disconnect
from slopn_wire.events import Done
from support.blunt import Blunt
from support.fake_helper import SOMEBODY
from support.hostile import ATTACKS
from support.lone_helper import TESTS, LoneHelper

MOST = 20_000_000
"""Bytes that no attack may cost the helper."""
PATIENCE = 60.0


@contextmanager
def hostile(helper: LoneHelper, attack: str) -> Iterator[threading.Event]:
    """The attack as it goes on; the event is set when it has done its worst. In the end all is let go."""
    with subprocess.Popen(
        [sys.executable, "-m", "support.hostile", attack, helper.path, str(helper.chain(SOMEBODY)), str(SOMEBODY)],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        worst = threading.Event()
        out = process.stdout
        assert out is not None

        def listen() -> None:
            if out.readline() == "done\n":
                worst.set()

        listening = threading.Thread(target=listen)
        listening.start()
        try:
            yield worst
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE)
            listening.join(PATIENCE)


def serve_root(helper: LoneHelper) -> None:
    """A new connection of root's, and a command."""
    with Blunt.secured(helper.path, helper.chain(0)) as root:
        assert root.ask(Disconnect()) == Done()


@pytest.mark.parametrize("attack", [name for name, made in ATTACKS.items() if made.__module__ == "support.hostile"])
def test_an_attack_costs_little_and_root_is_served(attack: str) -> None:
    """While it goes on and when it has done its worst: new connections of root's and an old one are answered."""
    with LoneHelper(log=4_000_000) as helper, Blunt.secured(helper.path, helper.chain(0)) as root:
        for _ in range(5):
            serve_root(helper)
        before = helper.forget_peak()
        with hostile(helper, attack) as worst:
            while not worst.is_set():
                serve_root(helper)
                assert root.ask(Disconnect()) == Done()
            serve_root(helper)
            assert helper.peak() - before < MOST
        serve_root(helper)
        with Blunt.secured(helper.path, helper.chain(0)) as again:
            assert again.ask(Disconnect()) == Done()
