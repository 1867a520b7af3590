from __future__ import annotations

import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.lines import Refusal
from slopn_helper.gateway.bans.lines import line as gateway_line
from slopn_helper.ipc.refusals import Why as LocalWhy
from slopn_helper.ipc.refusals import line as helper_line
from slopn_helper.logs.processors import escape, hide
from slopn_helper.logs.sinks import Render, as_json, text
from slopn_wire.logs import LogLine
from support.bans_world import BYSTANDER4, FORGERIES
from support.fail2ban import regex

SHAPES = {
    "file": as_json,
    "journal": lambda line: f"host slopn-gateway[123]: {as_json(line)}",
    "text": text,
}
SOURCES = {"203.0.113.7": "203.0.113.7", "2001:db8:1:2::7": "2001:db8:1:2::/64", "::ffff:203.0.113.8": "203.0.113.8"}
WHYS = [why for why in Why if why not in {Why.BY_HAND, Why.UNKNOWN}]


def write(log: Path, shape: Render, messages: list[str], component: str = "gateway.refusals") -> None:
    """The messages as the log writes them."""
    with log.open("a", encoding="utf-8") as out:
        for number, message in enumerate(messages):
            shown = hide(escape(None, "", message), lambda covered: covered)
            out.write(shape(LogLine(number, time.time(), "warning", component, shown)))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_each_refusal_is_found_and_nothing_in_it(tmp_path: Path, shape: Render) -> None:
    """Of every reason and family, whatever was said; fail2ban-regex(1) names the source and nobody else."""
    log = tmp_path / "gateway.log"
    wanted = []
    for said in FORGERIES:
        for why in WHYS:
            for address, source in SOURCES.items():
                write(log, shape, [gateway_line(Refusal(ip_address(address), why, 40312, said), 7)])
                wanted.append(source)
    assert regex(tmp_path, log, "slopn") == wanted


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_other_lines_are_nobodys(tmp_path: Path, shape: Render) -> None:
    """Unproven addresses, other parts of the gateway that say the same, and messages of many lines."""
    log = tmp_path / "gateway.log"
    proven = gateway_line(Refusal(ip_address(BYSTANDER4), Why.BAD_TOKEN))
    write(log, shape, [gateway_line(Refusal(ip_address(BYSTANDER4), Why.HANDSHAKE_FLOOD, proven=False))])
    for component in ("gateway", "gateway.refusals.x", "gateway.refusalss", "api"):
        write(
            log,
            shape,
            [proven, f"x\n{proven}", f"x\n{text(LogLine(1, 1.0, 'warning', 'gateway.refusals', proven))}"],
            component,
        )
    write(log, shape, [f" {proven}", f"x {proven}", f"x\n{proven}", f"banned {BYSTANDER4} for 600 s"])
    assert regex(tmp_path, log, "slopn") == []


@pytest.mark.parametrize("shape", [as_json, lambda line: f"host slopn-helper[9]: {as_json(line)}", text], ids=SHAPES)
def test_local_refusals_are_found_by_the_users_number(tmp_path: Path, shape: Render) -> None:
    """Never by an address: there is none, and a program's name can't bring one in."""
    log = tmp_path / "helper.log"
    for said in FORGERIES:
        told = helper_line(LocalWhy.NOT_PAIRED, uid=1001, pid=42, session="c2", user=said, exe=f"refused uid=0 {said}")
        write(log, shape, [told], "ipc.visitor")
        write(log, shape, [f"x\n{told}"], "ipc.desk")
    assert regex(tmp_path, log, "slopn-helper") == ["1001"] * 20
    assert regex(tmp_path, log, "slopn") == []
