"""What holds a booted system (support.boot) together and ends with it: see boot_holder.sh."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support.until import until
from tools.console import ROOT

_SCRIPT = Path(__file__).with_name("boot_holder.sh")
_PREFIX = "slopn-"


class Holder:
    """The file system, control group and processes of one system with `lower` as the lower part of its overlay.

    `network`: the path of a network namespace; None: a private one for each boot. Raises `RuntimeError` where none of
    this can be made.
    """

    def __init__(self, lower: Path, network: Path | None) -> None:
        sweep()
        self.tag = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(3)}"
        self.init: int | None = None
        """The process ID of the system's process 1, as seen from here; None: it is off."""
        self._dir = Path(tempfile.gettempdir()) / f"{self.tag}-boot"
        self._dir.mkdir(mode=0o755)
        enter = [] if network is None else ["nsenter", f"--net={network}"]
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", str(_SCRIPT)]
        hold = ["hold", str(self._dir), str(lower), self.tag, "private" if network is None else "joined", str(ROOT)]
        self._process = subprocess.Popen(
            [*enter, *unshare, *hold],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        said = self._stdout.readline()
        if said != b"ready\n":
            said += self._stdout.read()
            self.close()
            raise RuntimeError(f"no system can be booted here: {said.decode(errors='replace')}")
        self._sweep_groups()

    @property
    def is_on(self) -> bool:
        """Whether the system's process 1 runs."""
        return self.init is not None and Path("/proc", str(self.init)).exists()

    @property
    def root(self) -> Path:
        """The overlay as seen from outside, while the system is on or off."""
        return self._inside / "root"

    @property
    def group(self) -> Path:
        """The control group, in the unified hierarchy."""
        return self._inside / "cgroup" / self.tag

    def start(self, timeout: float) -> None:
        """Switch on, and return as soon as there is a process 1. Raises `AssertionError` with what it printed."""
        assert not self.is_on, "the system is on"
        self._stdin.write(b"boot\n")
        self._stdin.flush()
        try:
            self.init = until(self._find_init, timeout, "systemd runs")
        except AssertionError as error:
            with contextlib.suppress(OSError):
                error.add_note((self._inside / "init.log").read_text(encoding="utf-8", errors="replace"))
            raise

    def wait_off(self, timeout: float) -> None:
        """Return once process 1, and so every process of the system, is gone."""
        assert self.init is not None
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(self.init)
            try:
                ended = select.select([pidfd], [], [], timeout)[0]
            finally:
                os.close(pidfd)
            assert ended, f"{timeout:g} s passed and the system is still on"
        self.init = None

    def kill(self) -> None:
        """End the system at once, with nothing stopped in order."""
        assert self.init is not None
        os.kill(self.init, signal.SIGKILL)
        self.wait_off(10.0)

    def close(self) -> None:
        """End and remove everything. May be called twice."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(20.0)
        finally:
            self._process.kill()
            self._process.wait()
            self._stdout.close()
            self.init = None
            shutil.rmtree(self._dir, ignore_errors=True)

    @property
    def _inside(self) -> Path:
        return Path(f"/proc/{self._process.pid}/root{self._dir}")

    def _find_init(self) -> int | None:
        wanted = f"SLOPN_BOOT={self.tag}".encode()
        for entry in os.listdir("/proc"):  # noqa: PTH208 - a thousand Path objects for each look are slow
            if entry.isdecimal():
                with contextlib.suppress(OSError):
                    process = Path("/proc", entry)
                    is_systemd = (process / "comm").read_bytes() == b"systemd\n"
                    if is_systemd and wanted in (process / "environ").read_bytes().split(b"\0"):
                        return int(entry)
        return None

    def _sweep_groups(self) -> None:
        """Remove the control groups of systems whose holder was killed."""
        for group in self.group.parent.glob(f"{_PREFIX}*-*"):
            if _is_orphan(group):
                for folder, _, _ in os.walk(group, topdown=False):
                    with contextlib.suppress(OSError):
                        Path(folder).rmdir()


def sweep() -> None:
    """Remove the folders that dead test processes left behind; their systems ended with them."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*-boot"):
        if _is_orphan(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_orphan(path: Path) -> bool:
    owner = path.name.removeprefix(_PREFIX).split("-", 1)[0]
    return owner.isdecimal() and not Path("/proc", owner).exists()
