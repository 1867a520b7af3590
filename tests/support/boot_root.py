"""A bare root of this machine's own Debian or Ubuntu with systemd in it, made once and kept in .cache/boot."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache/boot"
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
_FORMAT = "1"
"""Rises when a root that was made by older code won't do any more."""


def boot_root(packages: Iterable[str] = ()) -> Path:
    """The root with `PACKAGES` and `packages`, to be used as the lower part of an overlay only.

    The first call for a list of packages downloads and installs them, in about 20 s; raises `RuntimeError` with what
    mmdebstrap said.
    """
    system = platform.freedesktop_os_release()
    wanted = sorted({*PACKAGES, *packages})
    suite = system["VERSION_CODENAME"]
    digest = hashlib.sha256("\n".join((_FORMAT, system["ID"], suite, *wanted)).encode()).hexdigest()[:12]
    root = CACHE / f"{suite}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _build(suite, wanted, root)
    return root


def _build(suite: str, packages: list[str], root: Path) -> None:
    for left in CACHE.glob("new-*"):
        shutil.rmtree(left)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=CACHE))
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--mode=root",
        '--aptopt=Acquire::Retries "5"',
        # Manuals and translations are a third of the files.
        "--dpkgopt=path-exclude=/usr/share/{doc,info,locale,man}/*",
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
