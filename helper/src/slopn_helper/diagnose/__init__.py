"""What is wrong, in words, and what a support person needs to see. Looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from slopn_helper.diagnose import host, tunnel
from slopn_helper.diagnose.facts import Facts, Sources, collect
from slopn_helper.diagnose.files import files
from slopn_helper.logs import redact, veil
from slopn_helper.recorder.disguise import Cloak
from slopn_wire.diagnosis import Check, Diagnosis, Verdict

CHECKS: tuple[Callable[[Facts], Check | tuple[Check, ...] | None], ...] = (
    tunnel.state,
    tunnel.kill_switch,
    tunnel.handshake,
    tunnel.answers,
    tunnel.dns_setting,
    tunnel.routes,
    tunnel.mtu,
    host.network,
    host.other_vpns,
    host.clock,
    host.kernel,
    host.tun,
    host.undone,
    host.disk,
    host.log,
    host.version,
    host.health,
)
"""In the order in which a person wants to read them; None where there is nothing to check."""
_ORDER = (Verdict.BROKEN, Verdict.NOTICE, Verdict.UNKNOWN, Verdict.FINE)


async def diagnose(sources: Sources) -> Diagnosis:
    """Ask everything, judge it, and gather the bundle's files. What fails is said in its place.

    Addresses and host names are left out when the user's settings say so.
    """
    facts = await collect(sources)
    cloak = None if facts.snapshot.settings.log_addresses else Cloak(veil())
    return Diagnosis(judge(facts, cloak), files(facts, cloak))


def judge(facts: Facts, cloak: Cloak | None = None) -> tuple[Check, ...]:
    """The checks' verdicts, the worst first."""
    found: list[Check] = []
    for check in CHECKS:
        match check(facts):
            case None:
                pass
            case Check() as one:
                found.append(one)
            case several:
                found += several
    clean = [_clean(check, cloak) for check in found]
    return tuple(sorted(clean, key=lambda check: _ORDER.index(check.verdict)))


def _clean(check: Check, cloak: Cloak | None) -> Check:
    text = redact(check.text)
    return Check(check.code, check.verdict, text if cloak is None else cloak.text(text), check.remedy)


__all__ = ["CHECKS", "Facts", "Sources", "collect", "diagnose", "judge"]
