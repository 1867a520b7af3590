"""Ends what a desktop session leaves, however its test ends; runs beside it, with its own Python.

    python3 desktop_keeper.py FOLDER

Once its standard input ends, which it does when the test is killed too, all programs go that were started with the folder
in their environment, then the folder. A PID namespace would end them as well, but what a test holds of a program in one
is nsenter(1): a signal to it doesn't reach the program.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

TAG = "SLOPN_TEST_DESKTOP"
"""The variable that says to which session's folder a program belongs; inherited by all that it starts."""
_PATIENCE = 5.0


def members(folder: Path) -> list[int]:
    """The processes that belong to the session of this folder."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _belongs(int(path.name), folder)]


def sweep(folder: Path) -> bool:
    """End all of them and remove the folder. Whether nothing is left."""
    # In order first: an X server takes its lock and its socket with it.
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and (found := members(folder)):
            with contextlib.ExitStack() as stack:
                ending = select.poll()
                sent = [_send(pid, number, folder, stack) for pid in found]
                waited = {descriptor for descriptor in sent if descriptor is not None}
                for descriptor in waited:
                    ending.register(descriptor, select.POLLIN)
                while waited and (left := deadline - time.monotonic()) > 0:
                    for descriptor, _ in ending.poll(left * 1000):
                        ending.unregister(descriptor)
                        waited.discard(descriptor)
    shutil.rmtree(folder, ignore_errors=True)
    return not members(folder) and not folder.exists()


def _belongs(pid: int, folder: Path) -> bool:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{TAG}={folder}".encode() in environ.split(b"\0")


def _send(pid: int, number: signal.Signals, folder: Path, stack: contextlib.ExitStack) -> int | None:
    """Send the signal; what poll(2) says the end of the process by. Nothing if it has gone already."""
    try:
        descriptor = os.pidfd_open(pid)
        stack.callback(os.close, descriptor)
        # Asked again now that the number can't be another's.
        if not _belongs(pid, folder):
            return None
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return None
    return descriptor


def main() -> None:
    """Wait for the end."""
    sys.stdin.buffer.read()
    sys.exit(not sweep(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
