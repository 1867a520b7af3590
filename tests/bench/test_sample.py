"""A short sample of `make bench`: that it works, not how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import peers, table
from bench.__main__ import main
from bench.engines import AS_USED, OURS, RAW, WIREGUARD_GO
from bench.latency import Timing
from bench.measure import CASES, Case, Result
from support.roaming import EVENTS


def test_a_round_of_both_engines_and_the_bare_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each carries traffic in both directions; what is kept says what was measured, on what."""
    out = tmp_path / "kept.jsonl"
    short = ["--only", "throughput", "--rounds", "1", "--seconds", "1", "--cases", "1", "4R", "--lines", "no-gso"]
    main([*short, "--engines", OURS, WIREGUARD_GO, RAW, "--out", str(out)])
    kept = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {(line["engine"], line["case"], line["line"]) for line in kept} == {
        (engine, case, "no-gso") for engine in (OURS, WIREGUARD_GO, RAW) for case in ("1", "4R")
    }
    assert len(kept) == 6
    for line in kept:
        assert line["gigabytes"] > 0, line
        assert {"commit", "kernel", "cores", "iperf3", "version"} <= set(line), "what it takes to compare later"
    tunnelled = [line for line in kept if line["engine"] != RAW]
    assert all(line["seconds_per_gb"] > 0 and min(line["cpu"]) > 0 and min(line["rss"]) > 0 for line in tunnelled), (
        "both ends' engines did the work"
    )
    printed = capsys.readouterr().out
    assert "wireguard-go: v0" in printed, "the version compared with"
    assert "throughput:" in printed
    assert "CPU seconds per GB:" in printed


def test_packets_of_the_engine_as_the_helper_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Datagrams and pings get through; what is kept has the rate, what a packet costs, and both round trips."""
    out = tmp_path / "kept.jsonl"
    main(["--only", "packets", "--rounds", "1", "--seconds", "1", "--engines", AS_USED, "--out", str(out)])
    kept = json.loads(out.read_text(encoding="utf-8"))
    assert min(kept["packets"][of] for of in ("rate", "cpu", "idle", "loaded")) > 0
    assert f"| {AS_USED} | " in capsys.readouterr().out


def test_a_try_of_each_latency(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kill switch, command line and connecting are each measured against what they are to be compared with."""
    out = tmp_path / "kept.jsonl"
    main(["--only", "latency", "--tries", "1", "--out", str(out)])
    kept = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(len(line["ours"]), len(line["against"])) for line in kept] == [(2, 0), (1, 1), (1, 1)]
    assert all(min(line["ours"] + line["against"]) > 0 for line in kept)
    assert capsys.readouterr().out.count("target") == 3


def test_a_round_of_each_change_of_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both tunnels come through each of them; what is kept says which, and the table has a line for each."""
    out = tmp_path / "kept.jsonl"
    main(["--only", "roam", "--tries", "1", "--out", str(out)])
    kept = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {(line["engine"], line["roam"]) for line in kept} == {
        (engine, event.name) for engine in (OURS, WIREGUARD_GO) for event in EVENTS
    }
    assert all(len(line["gaps"]) == 1 and 0 < line["gaps"][0] < 30 for line in kept)
    printed = capsys.readouterr().out
    assert all(f"| {event.name} | " in printed for event in EVENTS)


def test_timing_judges_its_median() -> None:
    """A ratio where there is something to compare with, else seconds."""
    assert str(Timing("x", [0.1, 9.0, 0.2], [0.5], 0.5)).endswith("ratio 0.40; target 0.5: met")
    assert str(Timing("x", [0.4], [0.5], 0.5)).endswith(": not met")
    assert str(Timing("x", [0.01, 0.01, 0.9], (), 0.015)) == "x: median 10.0 ms; target 15 ms: met"


def test_verdict_judges_the_worst_case() -> None:
    """One case below the target is enough to miss it, however good the others are."""
    fast, slow = _result(4.0, 2.5), _result(2.0, 5.0)
    up, down, *_ = CASES
    results: dict[tuple[str, Case], list[Result]] = {
        (OURS, up): [fast, _result(0.1, 2.5), fast],
        (OURS, down): [fast],
        (WIREGUARD_GO, up): [slow],
        (WIREGUARD_GO, down): [slow],
    }
    throughput, cpu, others = table.verdict(results)
    assert throughput.endswith(": met")
    assert others == "25 % of the machine's CPU time went to others: on a quiet machine the figures are better"
    assert "1 2.00, 1R 2.00" in throughput
    assert cpu.startswith("CPU seconds per GB: 0.50")
    assert cpu.endswith(": met")
    results[OURS, down] = [_result(3.9, 9.0)]
    results[OURS, up] = [_result(9.0, 9.0)]
    throughput, cpu, _ = table.verdict(results)
    assert throughput.endswith(": not met")
    assert cpu.endswith(": not met")
    assert not table.verdict({(OURS, up): [fast]}), "nothing to compare with"


def test_table_has_a_row_an_engine() -> None:
    """Medians a case; the bare link has neither CPU nor memory."""
    up = CASES[0]
    bare = _result(9.0, 0.0)._replace(seconds_per_gb=None, rss=(), peak_rss=(), foreign=0.0)
    lines = table.render({(OURS, up): [_result(1.0, 2.0), _result(3.0, 4.0), _result(2.0, 3.0)], (RAW, up): [bare]})
    assert lines.splitlines()[2:] == [
        "| slopn-engine | 2.00 (1.00–3.00)\\* | 3.00 | 5 / 6 |",
        "| raw | 9.00 (9.00–9.00) | – | – |",
    ]


def _result(gbps: float, seconds_per_gb: float) -> Result:
    return Result(
        gbps=gbps,
        gigabytes=1.0,
        cpu=(1.0, 1.0),
        seconds_per_gb=seconds_per_gb,
        foreign=0.25,
        steal=0.0,
        retransmits=0,
        rss=(5 << 10, 5 << 10),
        peak_rss=(6 << 10, 6 << 10),
    )


def test_a_tour_of_the_kill_switchs_policies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step in both kinds of table, and a flush that the guard makes good."""
    out = tmp_path / "kept.jsonl"
    main(["--only", "firewall", "--tries", "1", "--out", str(out)])
    *steps, guard = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {(step["firewall"], step["from"], step["to"]) for step in steps} == {
        (kind, before, after)
        for kind in ("owned", "plain")
        for before in ("open", "blocked", "tunnelled")
        for after in ("open", "blocked", "tunnelled")
        if (before, after) not in {("open", "open"), ("open", "tunnelled")}
    }
    assert all(min(step["applies"]) > 0 for step in steps)
    assert len(guard["guard"]) == len(guard["leaked"]) == 1
    printed = capsys.readouterr().out
    assert "| owned | open | blocked | " in printed
    assert "guard, 1 flushes" in printed


def test_many_peers_in_one_engine() -> None:
    """They are configured and taken out again, and the busy one goes on; how fast is for `make bench` to say."""
    crowd = peers.run(1, 1.0, count=300)
    assert min(*crowd.configured, *crowd.removed) > 0
    assert all(stream.gbps > 0 for stream in (*crowd.alone, *crowd.among))
    assert "300 peers: configured by wg in" in peers.render(crowd)
