"""Checks of this computer: network, other VPNs, clock, kernel, disk, what is left to undo. Pure, as the others."""

from __future__ import annotations

import time

from slopn_helper import __version__
from slopn_helper.diagnose import vpns
from slopn_helper.diagnose.facts import Facts, Missing
from slopn_helper.host.facts import Filters
from slopn_wire.diagnosis import Check, Verdict
from slopn_wire.events import Severity
from slopn_wire.logs import LogLevel
from slopn_wire.settings import KillSwitchMode
from slopn_wire.state import Disconnected

CLOCK_SLACK = 300
"""Seconds that a clock may stand before the last thing that was written."""
LITTLE_SPACE = 16 << 20
"""Bytes."""
LATELY = 3600
"""Seconds."""
_VERDICTS = {Severity.INFO: Verdict.NOTICE, Severity.WARNING: Verdict.NOTICE, Severity.ERROR: Verdict.BROKEN}


def version(facts: Facts) -> Check:
    """Which SloPN this is; the front end puts its own version beside it."""
    running = facts.snapshot.version
    if running != __version__:
        text = f"SloPN's service is version {running}, and version {__version__} is installed."
        return Check("version", Verdict.NOTICE, text, "Restart the service: `sudo systemctl restart slopn-helper`.")
    return Check("version", Verdict.FINE, f"SloPN's service is version {running}.")


def health(facts: Facts) -> tuple[Check, ...]:
    """The health list, a check each."""
    return tuple(
        Check(f"health_{one.code}", _VERDICTS[one.severity], one.text, one.remedy) for one in facts.snapshot.health
    )


def network(facts: Facts) -> Check:
    """Whether there is a way out at all."""
    now = facts.snapshot.network
    if not now.online:
        text = "This computer isn't on any network. Nothing can connect."
        return Check("network", Verdict.BROKEN, text, "Join a network; SloPN then goes on by itself.")
    return Check("network", Verdict.FINE, f"This computer is on a network, by {now.interface}.")


def other_vpns(facts: Facts) -> Check:
    """Who else leads traffic elsewhere."""
    match (facts.links, facts.routes, facts.rules, facts.filters):
        case (tuple() as links, tuple() as routes, tuple() as rules, Filters() as filters):
            traces = vpns.found(links, routes, rules, filters, facts.interface)
        case several:
            why = next(fact.why for fact in several if isinstance(fact, Missing))
            return Check("other_vpns", Verdict.UNKNOWN, f"Other VPNs can't be looked for: {why}.")
    if not traces:
        return Check("other_vpns", Verdict.FINE, "No other VPN is in the way.")
    told = "; ".join(f"{name}: {', '.join(parts[:4])}" for name, parts in traces.items())
    up = not isinstance(facts.snapshot.state, Disconnected)
    means = "Two VPNs at a time take each other's traffic, and each blocks the other's." if up else ""
    text = f"Something else leads traffic elsewhere. {means}".rstrip() + f" Found: {told}."
    remedy = "Disconnect it while you use SloPN, or give it a route of its own in both."
    return Check("other_vpns", Verdict.NOTICE, text, remedy)


def clock(facts: Facts) -> Check:
    """A clock that went back makes gateways refuse handshakes, which carry the time (TAI64N), and spoils certificates."""
    if isinstance(facts.disk, Missing):
        return Check("clock", Verdict.UNKNOWN, f"The clock can't be judged: {facts.disk.why}.")
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(facts.at))
    remedy = "Set the clock, or let the computer do it: `timedatectl set-ntp true`."
    means = "Gateways refuse a handshake that is older than the last one."
    if facts.disk.newest > facts.at + CLOCK_SLACK:
        text = f"The clock says {shown}, and files of SloPN were written after that. {means}"
        return Check("clock", Verdict.BROKEN, text, remedy)
    if isinstance(facts.authority, tuple) and not facts.authority[0] - CLOCK_SLACK <= facts.at <= facts.authority[1]:
        text = f"The clock says {shown}; SloPN was set up at another time than that. {means}"
        return Check("clock", Verdict.BROKEN, text, remedy)
    return Check("clock", Verdict.FINE, f"The clock says {shown}.")


def kernel(facts: Facts) -> Check:
    """Whether the rules are safe from others."""
    if isinstance(facts.system, Missing):
        return Check("kernel", Verdict.UNKNOWN, f"The kernel isn't known: {facts.system.why}.")
    if not facts.system.kernel_keeps_tables:
        text = (
            f"Linux {facts.system.kernel} can't guard SloPN's firewall rules. "
            "A program that flushes the firewall opens this computer for a moment, until SloPN has put them back."
        )
        return Check("kernel", Verdict.NOTICE, text, "Linux 6.9 or newer guards them.")
    return Check("kernel", Verdict.FINE, f"Linux {facts.system.kernel} guards SloPN's firewall rules.")


def tun(facts: Facts) -> Check:
    """Whether a tunnel's device can be made."""
    if isinstance(facts.system, Missing):
        return Check("tun", Verdict.UNKNOWN, f"The tunnel's device can't be looked at: {facts.system.why}.")
    if facts.system.tun is not None:
        text = f"The tunnel's device can't be made: {facts.system.tun}. Nothing can connect."
        return Check(
            "tun", Verdict.BROKEN, text, "Load the module with `sudo modprobe tun`; in a container pass it on."
        )
    return Check("tun", Verdict.FINE, "The tunnel's device can be made.")


def undone(facts: Facts) -> Check:
    """Whether something of ours is left while there is no tunnel."""
    if isinstance(facts.undo, Missing):
        return Check("undo", Verdict.UNKNOWN, f"What is left to undo isn't known: {facts.undo.why}.")
    always = facts.snapshot.settings.kill_switch is KillSwitchMode.ALWAYS
    left = [key for key in facts.undo if not (always and key.startswith("nft-table"))]
    if left and isinstance(facts.snapshot.state, Disconnected):
        text = f"Some of what SloPN changed on this computer isn't undone: {'; '.join(left)}."
        return Check("undo", Verdict.BROKEN, text, "Run `sudo slopn-helper restore`.")
    if left:
        return Check("undo", Verdict.FINE, f"{len(left)} changes of this computer are noted, to be undone at the end.")
    return Check("undo", Verdict.FINE, "Nothing of SloPN is left to undo.")


def disk(facts: Facts) -> Check:
    """Whether settings and the notes of what to undo can be written."""
    if isinstance(facts.disk, Missing):
        return Check("disk", Verdict.UNKNOWN, f"SloPN's directory can't be looked at: {facts.disk.why}.")
    if facts.disk.problem is not None:
        text = f"Nothing can be written to SloPN's directory: {facts.disk.problem}. Connecting is refused."
        return Check("disk", Verdict.BROKEN, text, "Make room on the disk, or make it writable.")
    if facts.disk.free < LITTLE_SPACE:
        text = f"Only {facts.disk.free >> 20} MiB are left on the disk. When it is full, SloPN can't connect."
        return Check("disk", Verdict.NOTICE, text, "Make room on the disk.")
    return Check("disk", Verdict.FINE, "SloPN's directory can be written.")


def log(facts: Facts) -> Check:
    """What the log has complained about lately."""
    if isinstance(facts.log, Missing):
        return Check("log", Verdict.UNKNOWN, f"The log can't be read: {facts.log.why}.")
    grave = {LogLevel.ERROR.value, LogLevel.CRITICAL.value}
    errors = [line for line in facts.log if line.level in grave and line.at >= facts.at - LATELY]
    if not errors:
        return Check("log", Verdict.FINE, "The log has no error of the last hour.")
    last = errors[-1].message.split("\n", 1)[0]
    text = f"The log has {len(errors)} errors of the last hour; the last one: {last[:200]}"
    return Check("log", Verdict.NOTICE, text, "See them with `slopn logs --level error`.")
