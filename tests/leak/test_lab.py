"""The lab itself: it goes red when the kill switch is broken, and its report says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leak.case import Fault, Mode, Row, nothing, run
from leak.cells import FAULTS, SAMPLE
from leak.world import World
from tools.leak_report import main


@pytest.mark.leak
def test_a_kill_switch_that_does_nothing_is_found() -> None:
    """A helper that claims to have closed the host and hasn't: without any fault, the verdict is a leak."""
    with World(sabotage=True) as world:
        row = run(world, Fault("nothing", nothing), Mode.ON)
    assert row.verdict == "LEAK"
    assert {"dns/udp", "lan/udp", "packet/udp", "multicast/udp"} <= set(row.leaked)
    assert row.samples["dns/udp"]


def test_there_are_faults_enough_and_the_sample_is_of_them() -> None:
    """At least forty, each closed in a mode or open for a reason."""
    assert len(FAULTS) >= 40
    assert {(fault.name, mode) for fault in FAULTS for mode in fault.modes} >= SAMPLE
    assert all(reason for fault in FAULTS for reason in fault.open.values())
    assert all(fault.why for fault in FAULTS if fault.passes)


def row(**changed: Any) -> dict[str, Any]:
    """A line of results."""
    made = Row("cable cut", "on", 1.0, 1000, {"udp": 9, "tcp": 8}, {}, 0, {}, "closed", "").as_json()
    return made | changed


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 0),
        ({"mode": "off", "verdict": "open", "leaked": {"udp": 3}}, 0),
        ({"verdict": "LEAK", "leaked": {"udp": 1}}, 1),
        ({"verdict": "NO CONTROL"}, 1),
    ],
    ids=["closed", "open", "leak", "no control"],
)
def test_the_report_ends_as_it_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], status: int
) -> None:
    """Every case has its line; a leak, or a control that is missing, is a failure and is told."""
    results, report = tmp_path / "leak.jsonl", tmp_path / "report.md"
    results.write_text(f"{json.dumps(row(fault='first'))}\n{json.dumps(row(**changed))}\n", encoding="utf-8")
    assert main([str(results), str(report)]) == status
    text = report.read_text(encoding="utf-8")
    shown = row(**changed)
    assert f"| cable cut | {shown['mode']} | 1.0 | 1,000 | 17 (8) | {sum(shown['leaked'].values())} | 0 |" in text
    assert json.loads((tmp_path / "leak.json").read_text(encoding="utf-8"))["rows"][1] == shown
    assert ("cable cut" in capsys.readouterr().err) is bool(status)


def test_a_run_without_results_is_no_success(tmp_path: Path) -> None:
    """Nothing was tried."""
    (tmp_path / "leak.jsonl").touch()
    assert main([str(tmp_path / "leak.jsonl"), str(tmp_path / "report.md")]) == 1
