from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from slopn_helper.store.lock import StateLock, StateLocked
from support.until import until

# Says who holds the lock once it was told to try, and stays until its stdin ends.
_TRY = """
import os, sys, pathlib
from slopn_helper.store.lock import StateLock, StateLocked
lock = StateLock(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    lock.acquire()
    print(os.getpid(), flush=True)
except StateLocked as error:
    print(error.pid, flush=True)
sys.stdin.read()
"""


@contextmanager
def contender(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is about to take the lock; killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", _TRY, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert said(process) == "ready"
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """The next line that the process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    """Let the process try to take the lock."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_nobody_holds_a_lock_that_never_was(tmp_path: Path) -> None:
    """Asking for the holder makes no file, and works before there is a state directory."""
    assert StateLock(tmp_path / "lock").holder() is None
    assert StateLock(tmp_path / "none/lock").holder() is None
    assert list(tmp_path.iterdir()) == []


def test_the_holder_is_named_until_it_lets_go(tmp_path: Path) -> None:
    """The holder's number is seen by itself and by others, and no longer than it holds."""
    lock, other = StateLock(tmp_path / "lock"), StateLock(tmp_path / "lock")
    lock.acquire()
    lock.acquire()
    assert lock.holder() == other.holder() == os.getpid()
    lock.release()
    lock.release()
    assert other.holder() is None
    other.acquire()
    other.release()


def test_a_second_process_is_told_who_is_there(tmp_path: Path) -> None:
    """The lock is refused with the number of the process that has it; once that is killed, the lock is free."""
    lock = StateLock(tmp_path / "lock")
    with contender(tmp_path / "lock") as process:
        go(process)
        assert said(process) == str(process.pid)
        assert lock.holder() == process.pid
        with pytest.raises(StateLocked, match=f"in use by process {process.pid}") as caught:
            lock.acquire()
        assert caught.value.pid == process.pid
    assert lock.holder() is None
    lock.acquire()
    assert StateLock(tmp_path / "lock").holder() == os.getpid()
    lock.release()


def test_a_longer_number_of_before_is_gone(tmp_path: Path) -> None:
    """The number of a holder that was killed doesn't show behind the new one's."""
    (tmp_path / "lock").write_text("9" * 19)
    lock = StateLock(tmp_path / "lock")
    lock.acquire()
    assert StateLock(tmp_path / "lock").holder() == os.getpid()
    lock.release()


def test_nobody_reads_the_number_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks just when the lock is taken, and the number in it is still a dead helper's, waits for the new one."""
    path = tmp_path / "lock"
    path.write_text("1")
    lock = StateLock(path)
    answers: list[int | None] = []
    asking = threading.Thread(target=lambda: answers.append(StateLock(path).holder()))
    ftruncate = os.ftruncate

    def waits_or_has_answered() -> bool:
        waiting = [line for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
        return bool(answers) or any(f" {os.getpid()} " in line for line in waiting)

    def asked_meanwhile(descriptor: int, length: int) -> None:
        asking.start()
        until(waits_or_has_answered, 5.0, "the one who asks waits, or has an answer")
        ftruncate(descriptor, length)

    monkeypatch.setattr(os, "ftruncate", asked_meanwhile)
    lock.acquire()
    asking.join()
    assert answers == [os.getpid()]
    lock.release()


def test_the_lock_is_not_inherited(tmp_path: Path) -> None:
    """A program that the helper starts doesn't keep the lock after the helper."""
    lock = StateLock(tmp_path / "lock")
    lock.acquire()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as process:
        lock.release()
        assert StateLock(tmp_path / "lock").holder() is None
        process.kill()


def test_of_many_that_race_one_wins(tmp_path: Path) -> None:
    """Of processes that try together one gets the lock, and all name it, whatever process was named there before."""
    (tmp_path / "lock").write_text("1")
    with ExitStack() as stack:
        processes = [stack.enter_context(contender(tmp_path / "lock")) for _ in range(5)]
        for process in processes:
            go(process)
        named = {said(process) for process in processes}
        assert len(named) == 1
        assert named <= {str(process.pid) for process in processes}


def test_a_number_that_is_another_process_by_now(tmp_path: Path) -> None:
    """The lock can't always be written (a full disk): an old number in it names nobody."""
    (tmp_path / "lock").write_text("1")
    lock = StateLock(tmp_path / "lock")
    with (tmp_path / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StateLocked) as refused:
            lock.acquire(unwritten=True)
        assert refused.value.pid is None


def test_a_disk_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no reason not to hold the lock for those who can do without their number in it, and for them alone."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    lock = StateLock(tmp_path / "lock")
    with pytest.raises(OSError, match="No space"):
        lock.acquire()
    lock.acquire(unwritten=True)
    with pytest.raises(StateLocked):
        StateLock(tmp_path / "lock").acquire(unwritten=True)
    lock.release()
