"""Debian's Fail2Ban, unpacked by `make setup`, with our filter, jail and action, and folders of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from slopn_helper.gateway.bans import BansError
from slopn_helper.gateway.bans.fail2ban import Fail2Ban
from support.netns import Namespace
from support.until import until
from tools.console import CACHE, ROOT

_PACKAGES = ("fail2ban", "python3-pyinotify")
_PYTHON = "/usr/bin/python3"


def configuration(folder: Path) -> Path:
    """Debian's configuration with ours on top, as an administrator has it after copying ours into /etc/fail2ban."""
    made = folder / "fail2ban"
    if not made.exists():
        shutil.copytree(_root("fail2ban") / "etc/fail2ban", made)
        (made / "jail.d/defaults-debian.conf").unlink()
        shutil.copytree(ROOT / "installers/fail2ban", made, dirs_exist_ok=True)
    return made


def regex(folder: Path, log: Path, jail: str) -> list[str]:
    """Whom fail2ban-regex(1) finds in `log` by our filter, in order: addresses and networks, or users' numbers."""
    program = _root("fail2ban") / "usr/bin/fail2ban-regex"
    argv = [
        _PYTHON,
        str(program),
        "-c",
        str(configuration(folder)),
        "-o",
        "found <F-ID>" if "helper" in jail else "found <ip>",
    ]
    done = subprocess.run([*argv, str(log), jail], capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode in {0, 255}, done.stderr
    return [line.removeprefix("found ") for line in done.stdout.splitlines() if line.startswith("found ")]


@contextlib.contextmanager
def fail2ban(
    folder: Path, namespace: Namespace, backend: str, log: Path, *, at_home: bool = False
) -> Iterator[Fail2Ban]:
    """The server in `namespace`, watching `log` by `backend` (pyinotify, polling).

    `at_home`: its socket is where Debian has it, in the private namespace's own /run.
    """
    made = configuration(folder)
    run = folder / "run"
    run.mkdir(mode=0o755)
    log.touch()
    inside = outside = run / "fail2ban.sock"
    if at_home:
        inside = Path("/run/fail2ban/fail2ban.sock")
        outside = namespace.root() / inside.relative_to("/")
        outside.parent.mkdir(mode=0o755, exist_ok=True)
    (made / "fail2ban.local").write_text(
        f"[Definition]\nlogtarget = {run}/fail2ban.log\nsocket = {inside}\n"
        f"pidfile = {run}/fail2ban.pid\ndbfile = {run}/fail2ban.sqlite3\n",
        encoding="utf-8",
    )
    (made / "jail.d/slopn.local").write_text(f"[slopn]\nbackend = {backend}\nlogpath = {log}\n", encoding="utf-8")
    program = _root("fail2ban") / "usr/bin/fail2ban-server"
    client = Fail2Ban(outside)
    with (run / "output").open("wb") as output:
        process = namespace.popen(
            [_PYTHON, str(program), "-f", "-c", str(made), "start"],
            env=_environment(),
            stdout=output,
            stderr=output,
        )

    def watches() -> bool:
        assert process.poll() is None, (run / "output").read_text(encoding="utf-8")
        with contextlib.suppress(BansError):
            client.bans()
            return True
        return False

    try:
        until(watches, 30.0, "Fail2Ban answers for its jail")
        yield client
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10.0)


def _root(package: str) -> Path:
    root = CACHE / package / "root"
    assert root.is_dir(), f"{root} is missing: run `make setup`"
    return root


def _environment() -> dict[str, str]:
    folders = (str(_root(package) / "usr/lib/python3/dist-packages") for package in _PACKAGES)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1"}
