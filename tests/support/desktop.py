"""A user's session with a bus of its own and, if wanted, a real keyring, for programs that ask for one.

The programs have uid 1000 inside a user namespace, where root's files are theirs, so that they aren't root, who has no
keyring, and still reach what the test has made. They all end with the session.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

from support.until import until

UID = 1000
_TIMEOUT = 20.0
_PASSWORD = b"a login password"
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
_SERVICE = "[D-BUS Service]\nName=org.freedesktop.secrets\nExec={python} -c 'import time; time.sleep(600)'\n"
# Owns the keyring's name and answers nothing.
_SILENT = """
from jeepney import message_bus
from jeepney.io.blocking import open_dbus_connection
with open_dbus_connection() as bus:
    bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
    while True:
        bus.receive()
"""
# secret-tool's own `lock` crashes (libsecret 0.20.5).
_LOCK = """
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection
service = DBusAddress("/org/freedesktop/secrets", "org.freedesktop.secrets", "org.freedesktop.Secret.Service")
with open_dbus_connection() as bus:
    call = new_method_call(service, "Lock", "ao", (["/org/freedesktop/secrets/collection/login"],))
    assert bus.send_and_get_reply(call, timeout=20).body[0], "nothing was locked"
"""


class Desktop:
    """A context. Files below `folder`. `keyring`: what answers for org.freedesktop.secrets.

    `gnome`: GNOME's, unlocked, as after a login at the screen. `silent`: something that never answers. `hanging`: something
    that the bus can start, and that never comes up. `none`: nothing.
    """

    def __init__(self, folder: Path, keyring: str) -> None:
        self.folder = folder
        self.environ = {
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus",
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "XDG_CONFIG_HOME": f"{folder}/config",
            "XDG_DATA_HOME": f"{folder}/data",
            "XDG_RUNTIME_DIR": f"{folder}/run",
            "XDG_STATE_HOME": f"{folder}/state",
        }
        self._keyring = keyring
        self._holder: subprocess.Popen[bytes] | None = None
        self._running: list[subprocess.Popen[bytes]] = []
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Self:
        for name in ("config", "data", "run", "state", "services"):
            (self.folder / name).mkdir(mode=0o700, parents=True)
        self._log = (self.folder / "log").open("wb")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder is not None:
            # The first process of the PID namespace: all others in it die with it.
            self._holder.kill()
            self._holder.wait()
        for process in self._running:
            process.wait(_TIMEOUT)
        if self._log is not None:
            self._log.close()

    def run(self, *command: str | Path, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of the user's to its end, with nothing at its stdin."""
        return subprocess.run(
            self._inside(*command),
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60.0,
            check=False,
        )

    def lock(self) -> None:
        """As when the screen is locked."""
        self.run(sys.executable, "-c", _LOCK).check_returncode()

    def secrets(self) -> str:
        """What a person sees in the keyring of ours, without the secrets."""
        done = self.run("secret-tool", "search", "--all", "application", "slopn")
        return "\n".join(
            line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("label", "attribute"))
        )

    def _start(self) -> None:
        holder = ("unshare", "--user", f"--map-user={UID}", f"--map-group={UID}", "--pid", "--fork", "--kill-child")
        self._holder = subprocess.Popen([*holder, "sleep", "infinity"], stderr=self._log)
        until(self._held, _TIMEOUT, "the user namespace")
        (self.folder / "bus.conf").write_text(_CONFIG.format(folder=self.folder))
        if self._keyring == "hanging":
            (self.folder / "services/secrets.service").write_text(_SERVICE.format(python=sys.executable))
        self._spawn("dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile")
        until((self.folder / "bus").exists, _TIMEOUT, "the session bus")
        if self._keyring == "gnome":
            command = ("gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock")
            keyring = self._spawn(*command, stdin=subprocess.PIPE)
            assert keyring.stdin is not None
            with keyring.stdin as password:
                password.write(_PASSWORD)
        elif self._keyring == "silent":
            self._spawn(sys.executable, "-c", _SILENT)
        if self._keyring in {"gnome", "silent"}:
            until(self._owned, _TIMEOUT, "the keyring")

    def _spawn(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._inside(*command), env=self.environ, stdin=stdin, stdout=self._log, stderr=self._log
        )
        self._running.append(process)
        return process

    def _inside(self, *command: str | Path) -> list[str]:
        return ["nsenter", f"--target={self._first()}", "--user", "--preserve-credentials", "--pid", *map(str, command)]

    def _held(self) -> bool:
        try:
            return Path(f"/proc/{self._first()}/uid_map").read_text().split()[:1] == [str(UID)]
        except (OSError, IndexError):
            return False

    def _first(self) -> int:
        """The first process in the PID namespace, as seen from outside."""
        assert self._holder is not None
        pid = self._holder.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def _owned(self) -> bool:
        code = (
            "from jeepney import message_bus\nfrom jeepney.io.blocking import open_dbus_connection\nimport sys\n"
            "with open_dbus_connection() as bus:\n"
            "    reply = bus.send_and_get_reply(message_bus.NameHasOwner('org.freedesktop.secrets'))\n"
            "    sys.exit(not reply.body[0])"
        )
        return self.run(sys.executable, "-c", code).returncode == 0
