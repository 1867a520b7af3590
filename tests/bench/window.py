"""`python -m bench.window [--rounds N]`: from a start to the first paint, our window and pywebview's least, in turn."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support.desktop import DesktopSession
from support.fake_helper import FakeHelper
from support.samples import CONNECTED

TESTS = Path(__file__).resolve().parents[1]
TARGET = 1.3


def painted(kind: str, screen: DesktopSession, helper: FakeHelper) -> float:
    """Seconds to the first paint of one start."""
    environ = {
        **screen.environ,
        "BEGUN": str(time.time()),
        "PYTHONPATH": str(TESTS),
        "SLOPN_SOCKET": helper.path,
    }
    command = [sys.executable, "-m", "support.painted", kind]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
    return float(done.stdout)


def measure(rounds: int) -> dict[str, list[float]]:
    """Each kind's times; the first round, which warms the disk's cache, is left out."""
    found: dict[str, list[float]] = {"bare": [], "ours": []}
    with DesktopSession() as screen, tempfile.TemporaryDirectory() as folder, FakeHelper(Path(folder)) as helper:
        helper.show(CONNECTED)
        for turn in range(rounds + 1):
            for kind in sorted(found, reverse=bool(turn % 2)):
                seconds = painted(kind, screen, helper)
                if turn:
                    found[kind].append(seconds)
    return found


def main() -> None:
    """Measure and say."""
    parser = argparse.ArgumentParser("bench.window", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    found = measure(parser.parse_args().rounds)
    middle = {kind: statistics.median(times) for kind, times in found.items()}
    for kind, times in found.items():
        shown = " ".join(f"{each:.2f}" for each in times)
        sys.stdout.write(f"{kind}: median {middle[kind]:.2f} s ({shown})\n")
    sys.stdout.write(f"ratio {middle['ours'] / middle['bare']:.2f}, target {TARGET}; load {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
