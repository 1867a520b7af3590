"""The engines that are compared, each as the program that makes an interface and is told the rest by wg(8)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIREGUARD_GO = "wireguard-go"
OURS = "slopn-engine"
RAW = "raw"
"""No tunnel at all: what the link and iperf3 can do."""


@dataclass(frozen=True)
class Engine:
    """`program -f IFNAME` stays in the foreground and answers on the UAPI socket of that name."""

    name: str
    program: Path
    version: str
    env: dict[str, str] = field(default_factory=dict)


def ours() -> Engine:
    """Our engine as `make setup` built it, beside the Python that runs this."""
    return Engine(OURS, Path(sys.executable).parent / "slopn-engine", commit())


def wireguard_go() -> Engine:
    """The latest wireguard-go as `make wireguard-go` built it from the Go proxy.

    Raises `FileNotFoundError` when it isn't there: nothing is compared with a missing program.
    """
    program = ROOT / ".cache/bin/wireguard-go"
    if not program.is_file():
        raise FileNotFoundError(f"{program} is missing: run `make wireguard-go`")
    return Engine(WIREGUARD_GO, program, _module_version(program), {"WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"})


def commit() -> str:
    """The commit of this checkout, with `+` when it has changes."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=10"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _module_version(program: Path) -> str:
    """The module version that Go has put into its program."""
    for go in (shutil.which("go"), str(ROOT / ".venv/bin/go")):
        if go and Path(go).exists():
            done = subprocess.run([go, "version", "-m", program], capture_output=True, text=True, check=True)
            go_version = done.stdout.split(":", 1)[1].split("\n", 1)[0].strip()
            found = re.search(r"mod\s+golang\.zx2c4\.com/wireguard\s+(\S+)", done.stdout)
            return f"{found[1] if found else 'unknown'} ({go_version})"
    raise FileNotFoundError("no Go to read wireguard-go's version with: run `make wireguard-go`")
