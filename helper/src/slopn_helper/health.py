"""What is wrong, as a list: each entry a code that stays, a severity, and a sentence that says what to do. Pure."""

from __future__ import annotations

from msgspec import Struct

from slopn_helper.host.firewall.policy import FirewallPolicy
from slopn_helper.tunnel.policy import closed
from slopn_wire.events import Severity, Warning  # noqa: A004 - the health list's word
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, TunnelState

FIREWALL_REFUSED = "firewall_refused"
"""The warning's code while another policy is in force than the one that should be."""


class Facts(Struct, frozen=True):
    """All that the health list is made of."""

    state: TunnelState
    settings: Settings
    in_force: FirewallPolicy | None
    wanted: FirewallPolicy
    unrestored: tuple[str, ...] = ()
    stored: tuple[Warning, ...] = ()
    """What the store found damaged."""


def warnings(facts: Facts) -> tuple[Warning, ...]:
    """The health list, gravest first."""
    found = [*_firewall(facts), *_restore(facts), *facts.stored, *_kill_switch(facts)]
    order = list(reversed(Severity))
    return tuple(sorted(found, key=lambda warning: order.index(warning.severity)))


def journal_damaged(sentence: str) -> Warning:
    """For a part of the undo journal that could not be read when the helper started; told once, it fails no undo."""
    text = f"{sentence}. Compare this computer's routes and resolv.conf with what you expect once you are disconnected."
    return Warning("journal_damaged", Severity.WARNING, text)


def _firewall(facts: Facts) -> list[Warning]:
    if facts.in_force == facts.wanted:
        return []
    if closed(facts.in_force):
        what = "The firewall refused a change, so the rules that were in force before still are: traffic stays blocked."
    elif closed(facts.wanted):
        what = "The firewall refused the kill switch: your traffic is not held back."
    else:
        what = "The firewall could not be reached, so rules that an earlier run left behind may still block traffic."
    text = f"{what} `slopn logs` says why; SloPN tries again by itself."
    return [Warning(FIREWALL_REFUSED, Severity.ERROR, text)]


def _restore(facts: Facts) -> list[Warning]:
    if not facts.unrestored:
        return []
    what = "; ".join(facts.unrestored)
    text = f"Not everything could be put back as it was: {what}. Run `sudo slopn-helper restore`."
    return [Warning("restore_incomplete", Severity.WARNING, text)]


def _kill_switch(facts: Facts) -> list[Warning]:
    if facts.settings.kill_switch is not KillSwitchMode.OFF or not isinstance(facts.state, Connected):
        return []
    text = "The kill switch is off: if the tunnel drops, your traffic goes out directly."
    return [Warning("kill_switch_off", Severity.INFO, text)]
