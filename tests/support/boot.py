"""A real Debian with a real systemd as process 1, in namespaces over a throw-away overlay: units, journal, logins, reboots.

It boots in about a second and leaves nothing behind, also when the test is killed. The checkout and its virtual
environment stand where they stand outside, read-only. There is no udev and no kernel of its own: modules, the clock and
all settings but the network's are the machine's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from support.boot_holder import Holder
from support.netns import Namespace
from support.until import until
from tools.boot_root import boot_root
from tools.console import ROOT

BIN = ROOT / ".venv/bin"
"""Where `slopn` and `slopn-helper` are, inside as outside."""

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
_MASKED = (
    # The kernel's debugging, tracing, auditing and modules are the machine's.
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "systemd-journald-audit.socket",
    "systemd-modules-load.service",
    # The checkout, bound in, may stand in /tmp; Debian 13 would lay an empty one over it.
    "tmp.mount",
    # Nobody sits at a terminal, and nothing shall begin by the clock in the middle of a test.
    "getty.target",
    "console-getty.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "systemd-tmpfiles-clean.timer",
)
# Into the control group of process 1, since systemd's tree takes no process from outside; then into the namespaces.
_JOIN = 'echo 0 >"$1/init.scope/cgroup.procs" && shift && exec nsenter "$@"'
_NAMESPACES = ("-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w")
_JOIN_SCOPE = 'echo 0 >"/sys/fs/cgroup$(systemctl show "$1" -P ControlGroup)/cgroup.procs" && shift && exec "$@"'


class BootedSystem:
    """A computer of its own, switched on while entered.

    `packages` come on top of those of tools/boot_root.py: each list of them is a root of its own in the cache. `files` are
    written before the first boot, by their absolute paths; `mask` are units that don't start. `namespace`: its network
    instead of a private one that begins anew with each boot. `suite`: another release than this machine's.
    """

    def __init__(
        self,
        *,
        packages: Iterable[str] = (),
        files: Mapping[str, str] | None = None,
        mask: Iterable[str] = (),
        namespace: Namespace | None = None,
        suite: str | None = None,
    ) -> None:
        self._packages = tuple(packages)
        self._suite = suite
        self._files = dict(files or {})
        self._masked = (*_MASKED, *mask)
        self._network = None if namespace is None else namespace.path
        self._entered: Holder | None = None
        self._started: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> Self:
        self._entered = Holder(boot_root(self._packages, self._suite), self._network)
        try:
            name = self._holder.tag
            self.write("/etc/hostname", f"{name}\n")
            self.write("/etc/hosts", f"127.0.0.1 localhost {name}\n::1 localhost\n")
            self.write("/etc/machine-id", f"{secrets.token_hex(16)}\n")
            for unit in self._masked:
                (self.root / "etc/systemd/system" / unit).symlink_to("/dev/null")
            for path, text in self._files.items():
                self.write(path, text)
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_on(self) -> bool:
        """Whether process 1 runs."""
        return self._holder.is_on

    @property
    def root(self) -> Path:
        """The file system as seen from outside, on or off; what is mounted inside (/run, /proc) can't be seen."""
        return self._holder.root

    @property
    def bus_address(self) -> str:
        """The system bus, for clients outside; another one after each boot."""
        return f"unix:path={Path('/proc', str(self._holder.init), 'root', 'run/dbus/system_bus_socket')}"

    def boot(self, timeout: float = 60.0) -> None:
        """Switch on, and return once everything that starts at boot has started. Raises `RuntimeError` if a unit failed."""
        self._holder.start(timeout)
        until(lambda: self.run("test -S /run/systemd/private", check=False).returncode == 0, timeout, "systemd answers")
        state = self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=timeout).stdout.strip()
        if state != "running":
            failed = self.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"], check=False).stdout
            raise RuntimeError(f"the system is {state}: {failed}\n{self.journal()[-8000:]}")

    def reboot(self, timeout: float = 60.0) -> None:
        """`systemctl reboot`: every unit is stopped in order. Returns once it is up again."""
        self.run(["systemctl", "reboot"], check=False)
        self._holder.wait_off(timeout)
        self.boot(timeout)

    def power_off(self, timeout: float = 60.0) -> None:
        """`systemctl poweroff`; `boot` switches on again."""
        self.run(["systemctl", "poweroff"], check=False)
        self._holder.wait_off(timeout)

    def cut_power(self) -> None:
        """Everything is dead at once, and nothing is stopped in order; `boot` switches on again."""
        self._holder.kill()

    def close(self) -> None:
        """End everything and remove it. May be called twice."""
        if self._entered is not None:
            self._entered.close()
            self._entered = None
        for process in self._started:
            process.wait(10.0)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self._started.clear()

    def command(
        self,
        cmd: str | Sequence[str],
        *,
        user: str | None = None,
        scope: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> list[str]:
        """The argument vector that runs `cmd` inside from outside; a string goes through `sh -ec`.

        As root, or as `user` with their groups as they are in the user database now; as a part of the unit `scope`, or
        of no unit and no login session.
        """
        argv = ["sh", "-ec", cmd] if isinstance(cmd, str) else [str(part) for part in cmd]
        environment = dict(_ENVIRONMENT)
        if user is not None:
            argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--inh-caps=-all", "--", *argv]
            environment |= {"HOME": f"/home/{user}", "USER": user, "LOGNAME": user}
        if scope is not None:
            argv = ["sh", "-c", _JOIN_SCOPE, "sh", scope, *argv]
        words = [f"{name}={value}" for name, value in (environment | dict(env or {})).items()]
        inside = ["-t", str(self._holder.init), *_NAMESPACES, "--", "env", "-i", *words, *argv]
        return ["sh", "-c", _JOIN, "sh", str(self._holder.group), *inside]

    def run(
        self,
        cmd: str | Sequence[str],
        *,
        check: bool = True,
        user: str | None = None,
        scope: str | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002 - subprocess.run's own word
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run `cmd` inside to its end, with its output captured as text.

        With `check`, a status other than 0 raises `RuntimeError` that says what the command printed.
        """
        done = subprocess.run(
            self.command(cmd, user=user, scope=scope, env=env),
            check=False,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            shown = cmd if isinstance(cmd, str) else shlex.join(map(str, cmd))
            raise RuntimeError(f"{shown!r} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done

    def popen(
        self,
        cmd: str | Sequence[str],
        *,
        user: str | None = None,
        scope: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        text: bool = False,
    ) -> subprocess.Popen[Any]:
        """Start `cmd` inside; it is killed at the end if it still runs."""
        argv = self.command(cmd, user=user, scope=scope, env=env)
        process = _Inside(argv, stdin=stdin, stdout=stdout, stderr=stderr, text=text)
        self._started.append(process)
        return process

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file inside, with the folders above it; the system may be on or off."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)

    def add_unit(self, name: str, text: str) -> None:
        """Put a unit file into /etc/systemd/system; it is neither enabled nor started."""
        self.write(f"/etc/systemd/system/{name}", text)
        if self.is_on:
            self.run(["systemctl", "daemon-reload"])

    def add_user(self, name: str, *groups: str) -> int:
        """A user with a home directory and no password. Returns the uid."""
        also = ["--groups", ",".join(groups)] if groups else []
        self.run(["useradd", "--create-home", "--shell", "/bin/sh", *also, name])
        return int(self.run(["id", "-u", name]).stdout)

    def install(self, *packages: Path) -> None:
        """Install .deb files, whose dependencies must be there already."""
        for package in packages:
            shutil.copy(package, self.root / "var/tmp" / package.name)
        self.run(["dpkg", "--install", *(f"/var/tmp/{package.name}" for package in packages)], timeout=300.0)

    def journal(self, unit: str | None = None, *, boot: int = 0) -> str:
        """The messages of `unit`, one a line, or of all with time and sender; of this boot or, with -1, of the last."""
        only = ["--output=short-precise"] if unit is None else ["--output=cat", f"--unit={unit}"]
        return self.run(["journalctl", "--quiet", "--no-pager", f"--boot={boot}", *only]).stdout

    def wait_unit(self, unit: str, state: str = "active", timeout: float = 30.0) -> None:
        """Return once `systemctl is-active UNIT` says `state`; else raise with what the unit wrote into the journal."""

        def reached() -> bool:
            return self.run(["systemctl", "is-active", unit], check=False).stdout.strip() == state

        try:
            until(reached, timeout, f"{unit} is {state}")
        except AssertionError as error:
            error.add_note(self.journal(unit)[-4000:])
            raise

    @property
    def _holder(self) -> Holder:
        assert self._entered is not None, "the system is used while it isn't entered"
        return self._entered


class _Inside(subprocess.Popen[Any]):
    """A program inside. Signals go to itself, not to nsenter(1), its parent outside.

    An orphan's zombie would be for process 1 outside, which reaps nobody in many containers; and the system doesn't end
    before the last of its zombies is gone.
    """

    def send_signal(self, sig: int) -> None:
        """Send it, if the program still runs."""
        if self.poll() is None:
            inside = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
            for pid in inside or [str(self.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), sig)
