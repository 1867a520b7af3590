"""A real PostgreSQL of one test's own: Debian's, unpacked, on a Unix socket, run by a user without rights."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psycopg

from support.until import until

_UNPACKED = Path(__file__).parents[2] / ".cache/postgresql-15/root"
_USER = "nobody"  # PostgreSQL refuses to run as root
_QUICK = {
    "listen_addresses": "",
    "fsync": "off",  # the machine isn't pulled from its socket; a killed process loses nothing by it
    "max_connections": "60",
    "shared_buffers": "16MB",
    "jit": "off",  # its compiler is a package of its own
    "log_min_messages": "fatal",
}


class Postgres:
    """One cluster below `folder`. `url(name)` is a database in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        if (user := _as_nobody()) is not None:
            os.chown(folder, user, user)
        self._programs = _programs(folder)
        self._run(
            [
                self._programs / "initdb",
                "-D",
                self._data,
                "-U",
                "slopn",
                "--auth=trust",
                "--no-locale",
                "-E",
                "UTF8",
                "-N",
            ]
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [word for name, value in _QUICK.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = self._server(options, log)
        until(self._answers, 60.0, "PostgreSQL answers")

    def kill(self) -> None:
        """SIGKILL to the server and all its parts at once, as when the machine fails."""
        if self._process is not None:
            for each in (self._process.pid, *_children(self._process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def stop(self) -> None:
        """End it without waiting for anybody: its data is thrown away."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(60)
            self._process = None

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def url(self, database: str) -> str:
        """As the gateway's settings have it."""
        return f"postgresql://slopn@/{database}?host={self.folder}"

    def _address(self, database: str) -> str:
        return f"host={self.folder} user=slopn dbname={database} connect_timeout=5"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")
        try:
            psycopg.connect(self._address("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _server(self, options: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self.folder), *options],
            user=_as_nobody(),
            group=_as_nobody(),
            extra_groups=[],
            cwd=self.folder,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )

    def _run(self, words: list[str | Path]) -> None:
        done = subprocess.run(
            list(map(str, words)),
            user=_as_nobody(),
            group=_as_nobody(),
            extra_groups=[],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running cluster; nothing of it is left afterwards."""
    # Not below pytest's folder: nobody may enter that, and a socket's path has 107 letters at most.
    folder = Path(tempfile.mkdtemp(prefix="slopn-pg-"))
    try:
        server = Postgres(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _programs(folder: Path) -> Path:
    """Where the programs are; copied into `folder` if the user who runs them can't enter this checkout."""
    inside = Path("usr/lib/postgresql/15/bin")
    root = next((root for root in (_UNPACKED, Path("/")) if (root / inside).is_dir()), None)
    assert root is not None, f"{_UNPACKED} is missing: run `make setup`"
    if not all(parent.stat().st_mode & 0o001 for parent in (root, *root.parents)):
        root = Path(shutil.copytree(root / "usr", folder / "root/usr", symlinks=True)).parent
    return root / inside


def _as_nobody() -> int | None:
    return pwd.getpwnam(_USER).pw_uid if os.geteuid() == 0 else None


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
