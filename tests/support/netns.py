"""Network namespaces that clean up after themselves, with a private /etc and /run where a test wants one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from support.until import until

_CLONE_NEWNET = 0x40000000
_RUN_NETNS = Path("/run/netns")
_PREFIX = "slopn-"
_LIBC = ctypes.CDLL(None, use_errno=True)
_sweep_lock = threading.Lock()
_swept = False

# The holder of a private mount namespace: it lives until its stdin ends, so it never outlives the test's process.
# `ip netns exec` has given it a mount namespace and a /sys with the namespace's devices. /etc is an overlay, since a
# bind-mounted resolv.conf could not be renamed over; /run is empty: no D-Bus, no systemd, no foreign UAPI socket.
_HOLDER = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/wireguard /run/.lab/upper /run/.lab/work
if ! mount -t overlay -o lowerdir=/etc,upperdir=/run/.lab/upper,workdir=/run/.lab/work overlay /etc 2>/dev/null; then
  mkdir /run/.lab/etc
  cp -a /etc/. /run/.lab/etc/
  mount --bind /run/.lab/etc /etc
fi
echo ready
exec cat >/dev/null
"""


class Namespace:
    """A network namespace `slopn-<pid>-<random>-<role>`, up between `__enter__` and `__exit__`.

    With `private`, also a mount namespace with its own writable /etc and an empty /run; the machine's are untouched.
    Every process started in it is killed at the end, those it left behind as well.
    """

    def __init__(self, role: str, *, private: bool = False) -> None:
        self.role = role
        self.private = private
        self.name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(3)}-{role}"
        self.path = _RUN_NETNS / self.name
        self._holder: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> Self:
        _sweep_once()
        _call(["ip", "netns", "add", self.name])
        try:
            self.sysctl(
                {
                    "net/ipv6/conf/all/accept_dad": "0",
                    "net/ipv6/conf/default/accept_dad": "0",
                    "net/ipv6/conf/default/router_solicitations": "0",
                }
            )
            if self.private:
                self._start_holder()
            self.ip("link set lo up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill what runs in the namespace and remove it. May be called twice."""
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for process in self._started:
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self._started.clear()
        if self.path.exists():
            _kill_all_in(self.path, spare={self._holder.pid} if self._holder else set())
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
            for stream in (self._holder.stdin, self._holder.stdout):
                if stream is not None:
                    stream.close()
            self._holder = None
        if self.path.exists():
            _call(["ip", "netns", "del", self.name])

    def command(self, cmd: str | Sequence[str]) -> list[str]:
        """The argument vector that runs `cmd` in here from outside; a string goes through `sh -ec`."""
        argv = ["sh", "-ec", cmd] if isinstance(cmd, str) else [str(part) for part in cmd]
        if self._holder is not None:
            # Root and working directory too: where the tests run in a chroot, the mount namespace alone would lead to
            # the root of the machine, and its /etc.
            return ["nsenter", "-t", str(self._holder.pid), "-n", "-m", "-r", "-w", "--", *argv]
        return ["ip", "netns", "exec", self.name, *argv]

    def run(
        self,
        cmd: str | Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - subprocess.run's own word
        env: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run `cmd` to its end, with its output captured as text.

        With `check`, a status other than 0 raises `RuntimeError` that says what the command printed. `env` is added to
        the environment.
        """
        done = subprocess.run(
            self.command(cmd),
            check=False,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **env} if env else None,
        )
        if check and done.returncode:
            shown = cmd if isinstance(cmd, str) else shlex.join(cmd)
            raise RuntimeError(f"{shown!r} in {self.role} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done

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
        """Start `cmd`; it is killed when the namespace closes. Its pid is the command's own."""
        process = subprocess.Popen(
            self.command(cmd),
            env={**os.environ, **env} if env else None,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=text,
            start_new_session=True,  # Ctrl-C is for the test, which then ends it in order
        )
        self._started.append(process)
        return process

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move the calling thread into the network namespace; sockets opened meanwhile stay there for good."""
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            inside = os.open(self.path, os.O_RDONLY)
            try:
                _setns(inside)
            finally:
                os.close(inside)
            try:
                yield
            finally:
                _setns(outside)
        finally:
            os.close(outside)

    def ip(self, batch: str, *, check: bool = True) -> None:
        """Run commands of `ip`, one a line, in one process; those that begin with `-6` in a second one, after the rest."""
        lines = [line.strip() for line in batch.splitlines() if line.strip()]
        four = [line for line in lines if not line.startswith("-6 ")]
        six = [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ")]
        force = [] if check else ["-force"]
        for family, commands in (([], four), (["-6"], six)):
            if commands:
                _call(["ip", *family, "-n", self.name, *force, "-batch", "-"], "\n".join(commands), check=check)

    def nft(self, ruleset: str) -> None:
        """Apply a script of `nft` in one transaction."""
        self.run(["nft", "-f", "-"], input=ruleset)

    def sysctl(self, values: Mapping[str, str]) -> None:
        """Write values below /proc/sys; names are spelt with slashes."""
        with self.entered():
            for name, value in values.items():
                Path("/proc/sys", name).write_text(value, encoding="ascii")

    def pids(self) -> set[int]:
        """The processes whose main thread is in this network namespace."""
        return _pids_in(self.path)

    def root(self) -> Path:
        """The namespace's file system as seen from outside: `root() / "etc/resolv.conf"` is its own when private."""
        return Path("/") if self._holder is None else Path(f"/proc/{self._holder.pid}/root")

    def _start_holder(self) -> None:
        argv = ["ip", "netns", "exec", self.name, "sh", "-c", _HOLDER]
        self._holder = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert self._holder.stdout is not None
        if (said := self._holder.stdout.readline()) != b"ready\n":
            raise RuntimeError(f"a private mount namespace could not be made: {said.decode(errors='replace')}")


def veth(a: Namespace, dev_a: str, b: Namespace, dev_b: str) -> None:
    """Connect two namespaces by a pair of devices, both up, without addresses."""
    _call(["ip", "link", "add", dev_a, "netns", a.name, "type", "veth", "peer", "name", dev_b, "netns", b.name])
    a.ip(f"link set {dev_a} up")
    b.ip(f"link set {dev_b} up")


def sweep() -> None:
    """Remove the namespaces and folders that dead test processes left behind, and kill what still runs in them."""
    for path in _RUN_NETNS.glob(f"{_PREFIX}*-*-*"):
        if _is_orphan(path):
            _kill_all_in(path, spare=set())
            _call(["ip", "netns", "del", path.name], check=False)
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*-*"):
        if _is_orphan(path):
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)


def _is_orphan(path: Path) -> bool:
    """Whether the process whose id is in the name is dead."""
    owner = path.name.removeprefix(_PREFIX).split("-", 1)[0]
    return owner.isdecimal() and not Path("/proc", owner).exists()


def _sweep_once() -> None:
    global _swept  # noqa: PLW0603 - once a process, whatever asks first
    with _sweep_lock:
        if not _swept:
            sweep()
            _swept = True


def _kill_all_in(path: Path, *, spare: set[int]) -> None:
    def left() -> set[int]:
        return _pids_in(path) - spare

    def killed() -> bool:
        for pid in left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left()

    until(killed, 5.0, f"every process in {path.name} is gone")


def _pids_in(path: Path) -> set[int]:
    try:
        wanted = path.stat()
    except OSError:
        return set()
    found: set[int] = set()
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a thousand Path objects for each look are slow
        if not entry.isdecimal():
            continue
        try:
            there = os.stat(f"/proc/{entry}/ns/net")  # noqa: PTH116 - as above
        except OSError:
            continue
        if (there.st_ino, there.st_dev) == (wanted.st_ino, wanted.st_dev):
            found.add(int(entry))
    return found


def _setns(fd: int) -> None:
    if _LIBC.setns(fd, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def _call(argv: Sequence[str], text: str | None = None, *, check: bool = True) -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{shlex.join(argv)} ended with {done.returncode}: {done.stderr.strip()}\n{text or ''}")
