"""`slopn-gateway doctor`: does this server work as a gateway, and what to do where it doesn't."""

from __future__ import annotations

import argparse
import asyncio

from msgspec import Struct

from slopn_helper.gateway import checkup, checkup_facts, cli, config, forwarding, interface
from slopn_helper.gateway.cli import asked, opened, output
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.machine import Machine
from slopn_helper.gateway.net import GatewayNetError, doctor, facts
from slopn_helper.gateway.net.doctor import Finding, Verdict
from slopn_helper.gateway.status import GatewayStatus
from slopn_helper.host.routes import RouteError

HELP = "check this server, and say how to mend what is wrong"
_MARKS = {Verdict.OK: "ok     ", Verdict.WARNING: "warning", Verdict.FAILED: "BAD    "}


class Report(Struct, frozen=True):
    """For programs."""

    good: bool
    findings: tuple[Finding, ...]


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace, machine: Machine | None = None) -> int:
    """Do it. `machine`: for tests."""
    settings = opened.settings(arguments)
    findings = asyncio.run(_findings(settings, arguments, machine or Machine()))
    report = Report(not any(each.verdict is Verdict.FAILED for each in findings), findings)
    if arguments.json:
        output.put_json(report)
    else:
        output.say(*lines(report))
    return cli.DONE if report.good else cli.FAILED


def lines(report: Report) -> list[str]:
    """It for a person."""
    found = [line for each in report.findings for line in _finding(each)]
    bad = sum(each.verdict is Verdict.FAILED for each in report.findings)
    return [*found, "", "Nothing is bad." if report.good else f"{bad} of {len(report.findings)} checks are bad."]


def _finding(finding: Finding) -> list[str]:
    first = f"{_MARKS[finding.verdict]}  {finding.check}: {finding.sentence}"
    return [first, f"         {finding.remedy}"] if finding.remedy else [first]


async def _findings(settings: Config, arguments: argparse.Namespace, machine: Machine) -> tuple[Finding, ...]:
    paths = cli.paths(arguments)
    running: GatewayStatus | str
    try:
        running = await asyncio.to_thread(asked.status, paths.admin_socket)
    except cli.CliError as error:
        running = str(error).partition(":")[0] + "."
    seen = await checkup_facts.gather(settings, paths, running, machine)
    return (*checkup.examine(settings, seen), *await _network(settings))


async def _network(settings: Config) -> tuple[Finding, ...]:
    """What `net.doctor` says of this host."""
    try:
        uplinks = await interface.uplinks(settings.wireguard.interface)
        if not uplinks:
            return (
                Finding(
                    "uplink",
                    Verdict.FAILED,
                    "This server has no default route, so devices would have no way to the internet.",
                    "Connect it; `ip route` shows what there is.",
                ),
            )
        policy = forwarding.policy(settings, config.lent(settings.pools), uplinks)
        return doctor.examine(policy, await facts.gather(policy))
    except (GatewayNetError, RouteError) as error:
        return (Finding("network", Verdict.FAILED, f"{error}.", "Run it as root, in the gateway's own namespace."),)
