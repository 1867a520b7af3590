"""Prove that two commands are all a newcomer needs: `make test` and `make demo` in a bare Debian 12, then both again.

The root has only git, make, python3 and ca-certificates. It sees this machine's network, /dev and certificates, and of this
checkout what is committed. Its mounts live in a namespace of their own and end with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools import apt
from tools.console import CACHE, ROOT, Word, give_up, output, run, say, timed

SUITE, GIVEN = "bookworm", "git,make,python3,ca-certificates"
# What a closed network needs so that registries are reached: proxies, certificate bundles, index settings.
KEPT = (
    "proxy",
    "ssl_cert",
    "ca_bundle",
    "ca_certs",
    "_cert",
    "pip_index",
    "uv_",
    "cargo_",
    "goproxy",
    "gosumdb",
    "gonosumdb",
)
# The root becomes that of the whole namespace (pivot_root, not chroot): nsenter(1) and `ip netns exec` go to that one.
ENTER = """
set -e
mount --rbind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"
mkdir -p "$1/run/lock" "$1/mnt/old"
cd "$1"
pivot_root . mnt/old
exec chroot . /bin/sh -c 'umount -l /mnt/old; cd /home/newcomer/slopn; exec "$@"' sh "$2" "$3"
"""


def main() -> None:
    """Build the root, run the targets in order, show how long each took; the first failure ends it."""
    if os.geteuid() != 0:
        give_up("`make fresh` mounts file systems: run it as root.")
    parser = argparse.ArgumentParser(prog="make fresh", description=__doc__)
    parser.add_argument("targets", nargs="*", default=["test", "demo", "test", "demo"], help="make targets, in order")
    parser.add_argument("--keep", action="store_true", help="leave the root on disk afterwards")
    wanted = parser.parse_args()
    apt.install(apt.missing(["mmdebstrap"]))
    CACHE.mkdir(exist_ok=True)
    # SIGTERM would leave the root behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    root = Path(tempfile.mkdtemp(prefix="fresh-", dir=CACHE))
    rows: list[tuple[str, float]] = []
    try:
        build(root)
        for target in wanted.targets:
            start = time.monotonic()
            enter(root, target)
            rows.append((target, time.monotonic() - start))
    finally:
        for target, seconds in rows:
            say(f"  make {target:8} {seconds:7.1f} s")
        if wanted.keep:
            say(f"kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)


def build(root: Path) -> None:
    """A bare root with a clone of what is committed here."""
    with timed(f"bare Debian ({SUITE}) with {GIVEN}"):
        run(
            [
                "mmdebstrap",
                "--quiet",
                '--aptopt=Acquire::Retries "5"',
                "--variant=minbase",
                "--mode=root",
                f"--include={GIVEN}",
                SUITE,
                root,
            ]
        )
        shutil.rmtree(root / "etc/ssl/certs")
        shutil.copytree("/etc/ssl/certs", root / "etc/ssl/certs")
        shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    if output(["git", "status", "--porcelain"]):
        say("   what isn't committed stays out of the clone")
    run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, root / "home/newcomer/slopn"])


def enter(root: Path, target: str) -> None:
    """Run `make TARGET` in the root, in mount and process namespaces that end with it; a failure ends this program."""
    kept = {name: value for name, value in os.environ.items() if any(part in name.lower() for part in KEPT)}
    own = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/home/newcomer",
        "LANG": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
        "CI": "true",
    }
    say(f"── fresh: make {target}")
    argv: list[Word] = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--uts",
        "sh",
        "-c",
        ENTER,
        "sh",
        root,
        "make",
        target,
    ]
    status = subprocess.run(argv, env=kept | own, stdin=subprocess.DEVNULL, check=False).returncode
    if status != 0:
        give_up(f"fresh: `make {target}` ended with status {status}.")


if __name__ == "__main__":
    main()
