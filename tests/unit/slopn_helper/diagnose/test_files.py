from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest

from slopn_helper.diagnose.facts import Facts, Missing
from slopn_helper.diagnose.files import MOST, files, walk
from slopn_helper.logs.addresses import Veil
from slopn_helper.recorder import FlightRecorder, replay_lines
from slopn_helper.recorder.disguise import Cloak
from slopn_wire.logs import LogLine
from slopn_wire.settings import Settings
from support.diagnosis import FACTS, facts
from support.recording import CONNECTING, drive
from support.samples import KEY

NAMES = {
    "addresses.txt",
    "dns.txt",
    "log.jsonl",
    "policy-rules.txt",
    "recorder.jsonl",
    "routes.txt",
    "rules.txt",
    "settings.json",
    "snapshot.json",
    "undo.txt",
    "versions.txt",
}
LOG = (LogLine(1, 5.0, "info", "x", "to 192.0.2.99"), LogLine(2, 6.0, "error", "y", 'a "b"\nc'))


def test_the_bundle_has_everything() -> None:
    """As text that a person can read, one row a line."""
    told = files(facts(log=LOG), None)
    assert set(told) == NAMES
    assert told["routes.txt"].splitlines() == [
        "table 254 0.0.0.0/0 via 192.0.2.1 dev eth0 proto 3",
        "table 51820 0.0.0.0/0 dev slopn0 proto 151 (SloPN)",
        "table 51820 unreachable 0.0.0.0/0 metric 4294967294 proto 151 (SloPN)",
    ]
    assert told["policy-rules.txt"].splitlines()[1] == "IPv4 32765: not fwmark 0xca6c lookup 51820 (SloPN)"
    assert "eth0: up, MTU 1500 192.0.2.7/24" in told["addresses.txt"]
    assert told["rules.txt"].startswith("table inet slopn {")
    assert told["rules.txt"].endswith("Other tables, by name alone:\nip filter\n")
    assert "trixie" in told["versions.txt"]
    assert told["dns.txt"].startswith("rc=plain")
    assert json.loads(told["settings.json"])["kill_switch"] == "on"
    assert [json.loads(line)["message"] for line in told["log.jsonl"].splitlines()] == ["to 192.0.2.99", 'a "b"\nc']


@pytest.mark.parametrize(
    "name", ["log", "recording", "filters", "routes", "rules", "links", "resolvers", "undo", "system"]
)
def test_a_file_says_that_its_source_failed(name: str) -> None:
    """And the others are there."""
    told = files(facts(**{name: Missing("no netlink")}), None)
    assert set(told) == NAMES
    assert [text for text in told.values() if "It could not be found out: no netlink." in text]


def test_the_reason_is_covered_too() -> None:
    """An error quotes what it was about; in every file."""
    gone = Missing("no answer from 192.0.2.8, token=abc")
    names = dict.fromkeys(
        ("log", "recording", "filters", "routes", "rules", "links", "resolvers", "undo", "system"), gone
    )
    everything = "".join(files(facts(**names, dns_choice=gone), Cloak(Veil())).values())
    assert everything.count("no answer from [address ") == 10
    assert "192.0.2.8" not in everything
    assert "abc" not in everything


def test_no_secret_is_in_any_file() -> None:
    """Wherever one may have got to: even public keys are gone."""
    key = base64.b64encode(bytes(range(32))).decode()
    told = files(
        facts(
            filters=msgspec.structs.replace(FACTS.filters, ours=f"comment {key}"),
            resolvers=f"# {key}",
            undo=(f"file {key}",),
            dns_choice=key,
        ),
        None,
    )
    assert [name for name, text in told.items() if key in text or KEY in text] == []
    assert json.loads(told["snapshot.json"])["profiles"][0]["peers"][0]["public_key"] == "[redacted]"


def test_addresses_are_left_out_of_all_files(tmp_path: Path) -> None:
    """By choice; what stays readable are names of interfaces and what everybody has. The recording still replays."""
    recorder = FlightRecorder(tmp_path)
    drive(recorder, [(inp, Settings(), 0.5) for inp in CONNECTING])
    told = files(facts(log=LOG, recording=recorder.read()), Cloak(Veil()))
    everything = "".join(told.values())
    for real in ("192.0.2.", "10.8.0.", "203.0.113.5", "vpn.example.org", "fd00:", "2001:db8:1:"):
        assert real not in everything
    assert "0.0.0.0/0 via [address" in told["routes.txt"]
    assert "127.0.0.1" in told["addresses.txt"]
    json.loads(told["snapshot.json"])
    found = replay_lines(told["recorder.jsonl"].encode())
    assert found.problem == ""
    assert all(step.state == step.recorded for step in found.steps)
    assert len(found.steps) == len(recorder.read().splitlines())


def test_a_long_file_keeps_its_end() -> None:
    """The newest lines, whole; all files together fit into one message."""
    lines = tuple(LogLine(number, 5.0, "info", "x", "é" * 400) for number in range(1, 6000))
    text = files(facts(log=lines), None)["log.jsonl"]
    assert MOST - 2000 < len(text.encode()) <= MOST
    assert json.loads(text.splitlines()[0])["level"] == "info"
    assert json.loads(text.splitlines()[-1])["number"] == 5999


def test_walking_changes_strings_alone() -> None:
    """Keys too; the form stays."""
    assert walk({"a": ["b", 1, None, {"c": True}]}, str.upper) == {"A": ["B", 1, None, {"C": True}]}


def test_no_fact_is_forgotten() -> None:
    """Each is in a file, or in a check; who adds one decides which."""
    in_files = {
        "snapshot",
        "log",
        "recording",
        "dns_choice",
        "links",
        "routes",
        "rules",
        "filters",
        "system",
        "resolvers",
        "undo",
    }
    in_checks = {"at", "interface", "firewall_drift", "routes_drift", "dns_drift", "answers", "disk", "authority"}
    assert in_files | in_checks == set(Facts.__struct_fields__)
