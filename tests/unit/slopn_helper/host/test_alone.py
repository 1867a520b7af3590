from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from slopn_helper.host import alone

HOLD = """
import os, sys
os.setuid(int(sys.argv[2]))
from slopn_helper.host import alone
alone.NAME = sys.argv[1]
only = alone.hold(0)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def name(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name of this test's own."""
    made = f"\0slopn-test-{os.getpid()}"
    monkeypatch.setattr(alone, "NAME", made)
    return made


@pytest.fixture
def other(name: str, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A process of some user that holds the name."""
    script = HOLD.replace("sys.argv[1]", repr(name))
    with subprocess.Popen(
        [sys.executable, "-c", script, "", str(request.param)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_after_the_other() -> None:
    """Who closes its socket lets the next one in, who doesn't doesn't."""
    first = alone.hold()
    with pytest.raises(alone.NotAlone, match=f"process {os.getpid()} is at work on this network"):
        alone.hold(0)
    first.close()
    alone.hold(0).close()


@pytest.mark.root
@pytest.mark.parametrize("other", [0], indirect=True)
def test_one_that_was_killed(other: subprocess.Popen[str]) -> None:
    """Its name is free with its death, and one that is just ending is waited for."""
    with pytest.raises(alone.NotAlone, match=f"process {other.pid}"):
        alone.hold(0)
    other.kill()
    alone.hold().close()


@pytest.mark.root
@pytest.mark.parametrize("other", [65534], indirect=True)
def test_a_stranger_keeps_nobody_out(other: subprocess.Popen[str], caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may take such a name; it is said."""
    alone.hold(0).close()
    assert f"process {other.pid} of user 65534" in caplog.text


def test_a_full_queue_is_no_way_in(name: str) -> None:
    """Who holds it can't be told then, so it may be root: refused."""
    with alone.hold() as only:
        only.listen(0)
        callers = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            try:
                caller.connect(name)
            except BlockingIOError:
                break
        with pytest.raises(alone.NotAlone, match="another process"):
            alone.hold(0)
        for caller in callers:
            caller.close()
