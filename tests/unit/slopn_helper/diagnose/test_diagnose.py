from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from slopn_helper.diagnose import CHECKS, diagnose, judge
from slopn_helper.diagnose.facts import Missing
from slopn_wire import codec
from slopn_wire.diagnosis import Check, Diagnosis, Verdict
from slopn_wire.events import Severity, Warning  # noqa: A004 - the health list's word
from slopn_wire.settings import Settings
from support.diagnosis import DISCONNECTED, SNAPSHOT, FakeHost, facts, sources


def test_all_is_well_where_all_is_well() -> None:
    """Connected or not: every verdict is fine, and none has a remedy."""
    for snapshot in (SNAPSHOT, DISCONNECTED):
        found = judge(facts(snapshot=snapshot, undo=()))
        assert [check for check in found if check.verdict is not Verdict.FINE or check.remedy] == []


def test_the_worst_stands_first() -> None:
    """Then what is worth knowing, what couldn't be checked, and what is fine."""
    health = (Warning("a", Severity.INFO, "A.", ""),)
    found = judge(facts(firewall_drift="the table is gone", links=Missing("x"), now_health=health))
    assert [check.code for check in found][:3] == ["kill_switch", "health_a", "other_vpns"]
    assert {check.verdict for check in found[3:]} == {Verdict.FINE}


def test_codes_are_unique() -> None:
    """Scripts look for them."""
    codes = [check.code for check in judge(facts())]
    assert len(set(codes)) == len(codes) == len(CHECKS) - 1


def test_nothing_that_is_missing_breaks_a_check() -> None:
    """With no fact at all each says that it doesn't know, or has nothing to say."""
    gone = Missing("gone")
    fields = set(facts().__struct_fields__) - {"at", "interface", "snapshot"}
    found = judge(facts(**dict.fromkeys(fields, gone)))
    assert {check.verdict for check in found} <= {Verdict.UNKNOWN, Verdict.FINE}
    assert sum(check.verdict is Verdict.UNKNOWN for check in found) >= 8


def test_a_diagnosis_goes_onto_the_wire(tmp_path: Path) -> None:
    """Checks and files, as the front ends read them."""
    found = asyncio.run(diagnose(sources(tmp_path)))
    assert codec.decode(codec.encode(found), Diagnosis) == found
    assert "192.0.2.7" in found.files["addresses.txt"]


def test_addresses_are_left_out_by_choice(tmp_path: Path) -> None:
    """Of the checks' sentences as well, also of those that quote an error."""
    host = FakeHost()
    host.refuse["system"] = OSError("192.0.2.8 says no to vpn.example.org")
    snapshot = msgspec.structs.replace(SNAPSHOT, settings=Settings(log_addresses=False))
    found = asyncio.run(diagnose(sources(tmp_path, host, snapshot=lambda: snapshot)))
    told = "".join(check.text for check in found.checks) + "".join(found.files.values())
    assert "192.0.2." not in told
    assert "example.org" not in told
    assert Check("kernel", Verdict.UNKNOWN, "") in [msgspec.structs.replace(check, text="") for check in found.checks]
