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
AS_USED = "slopn-python"
"""Our engine in a Python with the helper's modules in it, as `slopn-helper` has it."""
RAW = "raw"
"""No tunnel at all: what the link and iperf3 can do."""
NAMES = (OURS, WIREGUARD_GO, AS_USED, RAW)


@dataclass(frozen=True)
class Engine:
    """`program ARGUMENTS IFNAME` stays in the foreground and answers on the UAPI socket of that name."""

    name: str
    program: Path
    version: str
    env: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("-f",)


def named(name: str) -> Engine | None:
    """The engine of that name; None: no tunnel.

    Raises `FileNotFoundError` when the program isn't there: nothing is compared with a missing one.
    """
    if name == RAW:
        return None
    make = {OURS: ours, WIREGUARD_GO: wireguard_go, AS_USED: as_used}
    return make[name]()


def ours() -> Engine:
    """Our engine as `make setup` built it, beside the Python that runs this."""
    return Engine(OURS, Path(sys.executable).parent / "slopn-engine", commit())


def as_used() -> Engine:
    """The same as a module of Python, beside all that the helper imports."""
    return Engine(AS_USED, Path(sys.executable), commit(), {"PYTHONPATH": str(ROOT / "tests")}, ("-m", "bench.as_used"))


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
