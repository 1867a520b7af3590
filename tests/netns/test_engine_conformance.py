from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import conformance

_ROOT = Path(__file__).parent.parent.parent


def test_wireguards_own_functional_test_passes() -> None:
    """`netns.sh` of the wireguard-go module, without its throughput part: `make conformance` runs it whole."""
    command = [sys.executable, "-m", "tools.conformance", "--short"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=300, check=False)
    said = (done.stdout + done.stderr)[-3000:]
    assert done.returncode == 0, said
    assert "Objects that were created were also destroyed." in said


def test_the_short_form_loses_the_throughput_part_alone() -> None:
    """What is cut are the iperf3 runs; every other line stays."""
    text = conformance.netns_sh().read_text("utf-8")
    whole, short = text.splitlines(), conformance.without_throughput(text).splitlines()
    left_out = [line for line in whole if line not in short]
    assert left_out
    assert all(line.startswith("    ") for line in left_out)
    assert {line.split()[1] for line in left_out if line.startswith("    n")} == {"iperf3"}
    assert sum("ping" in line for line in whole) == sum("ping" in line for line in short)
