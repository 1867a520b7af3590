from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_app.cli.follow import Follower
from slopn_app.cli.live import frame
from slopn_app.cli.output import dressed
from slopn_wire.events import PolicyKind, Stats
from slopn_wire.state import Connecting, Disconnected, Step, TargetState
from support.fake_helper import FakeHelper
from support.samples import CONNECTED
from support.slopn import spawned

LONG = 20.0


def plain(lines: list[object]) -> str:
    """As one text."""
    return "\n".join(dressed(line, coloured=False) for line in lines)  # type: ignore[arg-type]


def line(process: subprocess.Popen[str]) -> str:
    """The next one."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def test_a_pipe_gets_one_line_a_change(helper: FakeHelper, tmp_path: Path) -> None:
    """With the time; counters are no change; the helper's going and coming are."""
    helper.show(CONNECTED)
    with spawned("status", "--watch") as process:
        assert line(process)[8:].startswith(" Protected through berlin – 203.0.113.5:51820")
        helper.publish(Stats(1, 1))
        helper.publish(helper.state(Connecting("berlin", step=Step.HANDSHAKE), policy=PolicyKind.BLOCKED, since=1.0))
        assert line(process)[8:].startswith(" Connecting to berlin… – Waiting for the gateway's answer")
        helper.stop()
        assert "isn't running. Rules that were in force stay in force." in line(process)
        with FakeHelper(tmp_path / "run") as second:
            assert second.path
            while "isn't running" in (said := line(process)):
                pass
            assert "Not connected" in said


def test_json_is_the_status_again_and_again(helper: FakeHelper) -> None:
    """One line each, counters too; a helper that is gone is an error like any other."""
    helper.show(CONNECTED)
    with spawned("status", "--watch", "--json") as process:
        assert json.loads(line(process))["state"] == "connected"
        helper.publish(Stats(77, 1))
        assert json.loads(line(process))["rx_bytes"] == 77
        helper.stop()
        assert json.loads(line(process))["error"]["status"] == 3


def test_without_a_helper_it_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 3."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    with spawned("status", "--watch") as process:
        _, err = process.communicate(timeout=LONG)
    assert process.returncode == 3
    assert "isn't running" in err


@contextlib.contextmanager
def terminal(*arguments: str) -> Iterator[int]:
    """`slopn` on a terminal of its own; what it shows is to be read from the descriptor."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    env = {**os.environ, "TERM": "xterm"}
    command = [sys.executable, "-m", "slopn_app", *arguments]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=env) as process:
        os.close(follower)
        try:
            yield leader
        finally:
            process.kill()
    os.close(leader)


def shown(leader: int, text: str) -> str:
    """What was shown up to and with `text`."""
    seen = b""
    deadline = time.monotonic() + LONG
    while text not in seen.decode(errors="ignore"):
        assert select.select([leader], [], [], max(deadline - time.monotonic(), 0))[0], seen.decode(errors="replace")
        seen += os.read(leader, 1 << 16)
    return seen.decode(errors="ignore")


def test_a_terminal_gets_a_living_picture(helper: FakeHelper) -> None:
    """Drawn in place, in colours, with what a glance has no use for: speed, countdown, how to end it."""
    helper.show(CONNECTED)
    with terminal("status", "--watch") as leader:
        first = shown(leader, "Ctrl-C")
        assert "\x1b[32mProtected through berlin\x1b[0m" in first
        assert "right now" in first
        until = time.time() + 300
        helper.publish(
            helper.state(Disconnected("berlin"), target=TargetState.PAUSED, paused_until=until, policy=PolicyKind.OPEN)
        )
        assert "\x1b[" in shown(leader, "Paused for 4:5")
        helper.stop()
        shown(leader, "isn't running")


def test_a_picture_of_nothing(helper: FakeHelper) -> None:
    """Before anything is known, and when the helper is gone, no state is claimed."""
    helper.show(replace(CONNECTED))
    with Follower() as follower:
        follower.next()
        assert "Protected through berlin" in plain([*frame(follower, 0.0, "")])
        helper.stop()
        follower.next()
        text = plain([*frame(follower, 0.0, "")])
    assert "Protected" not in text
    assert "isn't running" in text
