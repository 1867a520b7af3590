"""WireGuard's own functional test against our engine: `tests/netns.sh` of the wireguard-go module, with `slopn-engine` in its place.

The script is run from where Go's module cache has it, in mount and network namespaces of its own, and nothing of it is kept. With
`--short` it is run without its throughput part (24 GB through the tunnel), which takes most of the time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import golang, wireguard_go
from tools.console import VENV, as_root, give_up, output, say, timed

ENGINE = VENV / "bin/slopn-engine"
PATIENCE = 1800
"""Seconds; the whole test takes two minutes on a quiet machine with two cores."""

# A private /run: the UAPI sockets and the namespaces are named by the script, and others on this machine may use those names.
WORLD = 'mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/wireguard /run/netns && exec timeout -k 10 "$1" bash "$2" "$3"'

THROUGHPUT = re.compile(r"^    # TCP over IPv4\n.*?(?=^\}$)", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Run it; what it prints goes to the terminal, and its status decides."""
    short = "--short" in sys.argv[1:]
    script = netns_sh()
    text = script.read_text()
    with timed(
        f"{script.parent.parent.name}/tests/netns.sh against {ENGINE.name}{', without throughput' if short else ''}"
    ):
        if not short:
            status = run(script)
        else:
            with tempfile.NamedTemporaryFile("w", suffix=".sh") as patched:
                patched.write(without_throughput(text))
                patched.flush()
                status = run(Path(patched.name))
    if status != 0:
        give_up(f"netns.sh ended with status {status}: the last command above is the one that failed.")
    say("conformance: passed")


def netns_sh() -> Path:
    """Where Go's module cache has the script, downloaded first where it isn't there."""
    wireguard_go.main()
    go = golang.go()
    version = (wireguard_go.version().split() or [""])[-1]
    found = output([go, "mod", "download", "-json", f"{wireguard_go.MODULE}@{version}"]) or ""
    folder = re.search(r'"Dir": "([^"]+)"', found)
    if folder is None:
        give_up(f"`go mod download {wireguard_go.MODULE}@{version}` brought nothing: is the Go proxy reachable?")
    return Path(folder[1]) / "tests/netns.sh"


def without_throughput(text: str) -> str:
    """The script without its iperf3 runs; the pings around them stay. Gives up when it isn't the script that is known."""
    patched, count = THROUGHPUT.subn("", text)
    if count != 1 or "iperf3 -Z" in patched:
        give_up(
            "netns.sh is another one than this short form was made for: run it whole, or mend tools/conformance.py."
        )
    return patched


def run(script: Path) -> int:
    """Give the script's exit status. Its standard input stays open and silent: it sleeps by reading from there."""
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", WORLD, "netns"]
    words = as_root([*command, str(PATIENCE), str(script), str(ENGINE)])
    with subprocess.Popen(words, stdin=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}) as process:
        return process.wait()


if __name__ == "__main__":
    main()
