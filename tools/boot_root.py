"""A bare root of this machine's own Debian or Ubuntu, or of another release, with systemd in it: tests/support/boot.py boots it.

Made once and kept in .cache/boot; `make test` makes the usual one before the first test.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tools.console import CACHE, timed

FOLDER = CACHE / "boot"
PACKAGES = (
    "systemd-sysv",
    "dbus",
    "libpam-systemd",  # who logs in gets a session
    "iproute2",
    "nftables",
    "procps",
    "python3",  # the same as the virtual environment's, which is bound in
    "python3-nftables",
)
_FORMAT = "2"
"""Rises when a root that was made by older code won't do any more."""


def main() -> None:
    """Make the root with `PACKAGES` alone, if it isn't there."""
    boot_root()


def boot_root(packages: Iterable[str] = (), suite: str | None = None) -> Path:
    """The root with `PACKAGES` and `packages`, to be used as the lower part of an overlay only.

    `suite`: another release than this machine's, `trixie`; the virtual environment's Python isn't in there. The first call for a list of packages downloads and installs them: 20 s on a quiet machine. Raises `RuntimeError`
    with what mmdebstrap said.
    """
    system = platform.freedesktop_os_release()
    wanted = sorted({*PACKAGES, *packages})
    suite = suite or system["VERSION_CODENAME"]
    digest = hashlib.sha256("\n".join((_FORMAT, system["ID"], suite, *wanted)).encode()).hexdigest()[:12]
    root = FOLDER / f"{suite}-{digest}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            with timed(f"bare {suite} with systemd, for tests that boot it"):
                _build(suite, wanted, root)
    return root


def _build(suite: str, packages: list[str], root: Path) -> None:
    for left in FOLDER.glob("new-*"):
        shutil.rmtree(left)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=FOLDER))
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--mode=root",
        '--aptopt=Acquire::Retries "5"',
        # A power cut costs a new root and nothing else; manuals and translations are a third of the files.
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")),
        f"--include={','.join(packages)}",
        suite,
        str(fresh),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(fresh)
        raise RuntimeError(f"mmdebstrap ended with {done.returncode}:\n{done.stderr}")
    fresh.chmod(0o755)
    fresh.rename(root)


if __name__ == "__main__":
    main()
