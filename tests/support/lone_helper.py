"""The fake helper as a process of its own, whose memory can be measured while others attack it.

Root and `SOMEBODY` have a paired front end each: `chain(uid)` is its key and certificate.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import serialization

from slopn_helper.ipc.registry import Entry
from slopn_wire.devices import Right
from support.certificates import new_key, request_for
from support.fake_helper import SOMEBODY, FakeHelper

TESTS = Path(__file__).resolve().parents[1]
_PAIRED = (0, SOMEBODY)


class LoneHelper:
    """A context. `log`: so many bytes of log are there already."""

    def __init__(self, log: int = 0) -> None:
        # Not below a home or a directory of pytest's: every user must be able to reach it.
        self._folder = tempfile.TemporaryDirectory(prefix="slopn-test-")
        self.folder = Path(self._folder.name)
        self.folder.chmod(0o755)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.lone_helper", str(self.folder), str(log)],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    @property
    def path(self) -> str:
        """Of the socket."""
        return str(self.folder / "helper.sock")

    def chain(self, uid: int) -> Path:
        """What a front end of that user shows."""
        return self.folder / f"{uid}.pem"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=20)
        self._folder.cleanup()

    def forget_peak(self) -> int:
        """Measure the peak from now on; returns the resident memory as of now, in bytes (proc(5), clear_refs)."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        return self.peak()

    def peak(self) -> int:
        """The most resident memory that the helper has had."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
        raise AssertionError("no VmHWM")


class _Forgetful(list[Any]):
    """What the hub was asked isn't kept: it would count as the server's memory."""

    def append(self, _: object) -> None:
        """Nothing."""


def _pair(helper: FakeHelper, uid: int, chain: Path) -> None:
    key, now, gatekeeper = new_key(), time.time(), helper.gatekeeper
    issued = gatekeeper.authority.issue(request_for(key), f"d{uid}", now)
    entry = Entry(
        id=f"d{uid}",
        name="test",
        uid=uid,
        user=helper.users.name(uid),
        program="",
        rights=tuple(Right),
        created=now,
        serial=issued.serial,
        expires=issued.not_after,
    )
    helper.run(lambda: gatekeeper.book.change_now(lambda registry: registry.add(entry, now)))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(private + issued.certificate.encode())
    os.chown(chain, uid, uid)
    chain.chmod(0o400)


def main(folder: Path, log: int) -> None:
    """Run until the standard input is closed."""
    helper = FakeHelper(folder, everybody=True)
    helper.hub.commands = _Forgetful()
    for _ in range(log // 1000):
        helper.logs.add(time.time(), "info", "x", "y" * 1000)
    with helper:
        for uid in _PAIRED:
            _pair(helper, uid, folder / f"{uid}.pem")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
