from __future__ import annotations

import json

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import doctor
from slopn_helper.gateway.cli.doctor import Report
from slopn_helper.gateway.net.doctor import Finding, Verdict
from support.gateway_cli import Cli

GOOD = Finding("clock", Verdict.OK, "The clock is synchronised.")
POOR = Finding("mtu", Verdict.WARNING, "It is odd.", "Mend it.")
BAD = Finding("key", Verdict.FAILED, "It is \x1b[2Jgone.", "Put it back.")


def test_a_person_reads_what_is_bad_and_what_to_do() -> None:
    """A warning isn't bad."""
    assert doctor.lines(Report(good=True, findings=(GOOD, POOR)))[-1] == "Nothing is bad."
    text = doctor.lines(Report(good=False, findings=(GOOD, POOR, BAD)))
    assert text[0] == "ok       clock: The clock is synchronised."
    assert text[1:3] == ["warning  mtu: It is odd.", "         Mend it."]
    assert text[-1] == "1 of 3 checks are bad."


def test_a_gateway_that_does_not_run_is_bad(gateway: Cli) -> None:
    """Each check is there, those of the packets too; the exit status says it."""
    # Nobody in the network is asked for anything: neither for the endpoint's name nor at the gateway's own address.
    gateway.good("init", "--endpoint", "127.0.0.1", "--dns", "9.9.9.9", "--no-start", "--overwrite")
    status, out, err = gateway.run("doctor", "--json")
    report = json.loads(out)
    assert (status, err, report["good"]) == (cli.FAILED, "", False)
    verdicts = {each["check"]: each["verdict"] for each in report["findings"]}
    assert {"service": "failed", "key": "ok", "database": "ok", "port_tcp": "failed"}.items() <= verdicts.items()
    assert {"clock", "bans", "port_udp", "endpoint", "names", "files"} <= set(verdicts)
    assert {"uplink", "network", "table"} & set(verdicts)
