"""What is wrong, as a list: each entry a code that stays, a severity, a sentence, and what to do about it. Pure.

`REGISTRY` has every warning that there is; who finds something wrong names its code and fills in the sentence.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from slopn_helper.host.firewall.policy import FirewallPolicy
from slopn_helper.tunnel.policy import closed
from slopn_wire.events import Severity, Warning  # noqa: A004 - the health list's word
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, Connecting, ErrorState, TunnelState


class Kind(Struct, frozen=True):
    """A warning before it is one."""

    severity: Severity
    text: str
    """What is wrong and what it means; names in braces are filled in."""
    remedy: str = ""


FIREWALL_REFUSED = "firewall_refused"
"""The code while another policy is in force than the one that should be."""

REGISTRY: dict[str, Kind] = {
    FIREWALL_REFUSED: Kind(
        Severity.ERROR, "{what}", "SloPN tries again by itself; `slopn logs` says why the firewall refused."
    ),
    "no_tunnel": Kind(
        Severity.WARNING, "No tunnel comes up: {why}.", "SloPN tries again, at once when something changes here."
    ),
    "restore_incomplete": Kind(
        Severity.WARNING,
        "Not everything could be put back as it was: {what}.",
        "Run `sudo slopn-helper restore`.",
    ),
    "packet_sockets": Kind(
        Severity.WARNING,
        "Programs of root that send by packet sockets get past the kill switch: {why}.",
        "Use a kernel from 5.16 on; other programs are held back all the same.",
    ),
    "changed_by_others": Kind(
        Severity.WARNING,
        "Another program has changed what SloPN had set, and SloPN has put it back: {what}.",
        "If it comes again, find out which program does it: two of them can't manage the same thing.",
    ),
    "dns_silent": Kind(
        Severity.WARNING,
        "{what}.",
        "Names don't resolve through the tunnel: check the profile's DNS line, or ask whoever runs the gateway.",
    ),
    "dns_elsewhere": Kind(
        Severity.WARNING,
        "{what}.",
        "Another program manages DNS here; `slopn diagnose` says which, `slopn settings set dns_mechanism` chooses another way.",
    ),
    "journal_damaged": Kind(
        Severity.WARNING,
        "{what}.",
        "Compare this computer's routes and resolv.conf with what you expect once you are disconnected.",
    ),
    "kill_switch_off": Kind(
        Severity.INFO,
        "The kill switch is off: if the tunnel drops, your traffic goes out directly.",
        "Turn it on with `slopn settings set kill_switch on`.",
    ),
    "profile_damaged": Kind(
        Severity.ERROR, "A stored profile was damaged and is set aside as {file}.", "Import it again."
    ),
    "profile_without_keys": Kind(
        Severity.ERROR,
        "The profile “{profile}” can't be used: {why}.",
        "Import it again with `slopn import --replace`.",
    ),
    "settings_damaged": Kind(
        Severity.ERROR,
        "The settings were damaged and are set aside as {file}. The kill switch is on always until you set it otherwise.",
        "Look at the settings with `slopn settings` and set what you want.",
    ),
    "wish_damaged": Kind(
        Severity.ERROR,
        "Whether you wanted to be connected was lost; the damaged file is set aside as {file}. "
        "This host stays closed until you connect or disconnect.",
        "Run `slopn connect` or `slopn disconnect`.",
    ),
    "pairings_lost": Kind(
        Severity.WARNING,
        "The keys that front ends are paired by were lost, so all pairings have ended: {why}.",
        "Nothing, for SloPN's own front ends: they pair again by themselves. Pair others with `slopn pair`.",
    ),
    "wish_unsaved": Kind(
        Severity.WARNING,
        "That you want no tunnel could not be saved, so the next start of the service may connect again: {why}.",
        "Put the disk right, then run `slopn disconnect` again.",
    ),
    "settings_unsaved": Kind(
        Severity.WARNING,
        "That this computer shall not be blocked could not be saved, so the next start of the service may block it again: {why}.",
        "Put the disk right, then run `slopn unlock` again.",
    ),
    "users_damaged": Kind(
        Severity.WARNING,
        "The list of added users was damaged and is set aside as {file}: nobody on it may use SloPN.",
        "Add them again with `sudo slopn users add NAME`.",
    ),
    "enrolment_expiring": Kind(
        Severity.WARNING,
        "The enrolment of “{profile}” ends in {left} and could not be renewed: {why}.",
        "SloPN tries again by itself; `slopn enrol --renew PROFILE` tries at once. If it goes on, ask whoever runs the gateway.",
    ),
    "enrolment_ended": Kind(
        Severity.ERROR,
        "The gateways of “{profile}” don't take this device any more: {why}.",
        "Ask whoever runs the gateway for a new link, then `slopn enrol --replace --name PROFILE LINK`.",
    ),
    "captive_portal": Kind(
        Severity.WARNING,
        "This network wants you to sign in before it lets you out: its page{where} answers instead of the internet.",
        "Run `slopn pause 5`, sign in with your browser, then `slopn connect`.",
    ),
    "captive_portal_always": Kind(
        Severity.WARNING,
        "This network wants you to sign in before it lets you out: its page{where} answers instead of the internet.",
        "The kill switch is always on, so that no browser reaches the page: set it with `slopn settings set kill_switch on`, "
        "run `slopn pause 5`, sign in, and set it to `always` again.",
    ),
    "other_vpn": Kind(
        Severity.WARNING,
        "Something else takes or drops what belongs into the tunnel: {what}.",
        "Disconnect it while you use SloPN, or give each of them routes of its own; `slopn diagnose` shows more.",
    ),
    "path_narrow": Kind(
        Severity.WARNING,
        "The way to the gateway carries packets of {mtu} bytes only, fewer than IPv6 needs inside a tunnel: full ones go "
        "in pieces, which is slower, and which some networks drop.",
        "Use another network if large transfers stall; or a profile without IPv6, which may have a smaller MTU.",
    ),
    "clock_wrong": Kind(
        Severity.WARNING,
        "This computer's clock stands before the day SloPN was set up on it.",
        "Set the clock; until then times in SloPN's log are wrong.",
    ),
}


class Facts(Struct, frozen=True):
    """All that the health list is made of."""

    state: TunnelState
    settings: Settings
    in_force: FirewallPolicy | None
    wanted: FirewallPolicy
    unrestored: tuple[str, ...] = ()
    drifted: tuple[str, ...] = ()
    unguarded: str | None = None
    """Why programs with packet sockets pass the closed policy in force."""
    why: str = ""
    """What exactly failed last, while there is no tunnel because of it."""
    stored: tuple[Warning, ...] = ()
    """What was found when the helper started and lasts, and what a look from time to time found."""


def warning(code: str, **about: str) -> Warning:
    """The registry's `code` with its sentence filled in. Raises `KeyError` for a code or a name that isn't there."""
    kind = REGISTRY[code]
    return Warning(code, kind.severity, kind.text.format(**about), kind.remedy, about)


def warnings(facts: Facts) -> tuple[Warning, ...]:
    """The health list, gravest first."""
    return sort(
        [
            *_firewall(facts),
            *_no_tunnel(facts),
            *_restore(facts),
            *_drift(facts),
            *_guard(facts),
            *facts.stored,
            *_kill_switch(facts),
        ]
    )


def sort(found: Iterable[Warning]) -> tuple[Warning, ...]:
    """Gravest first, else in their order."""
    order = list(reversed(Severity))
    return tuple(sorted(found, key=lambda one: order.index(one.severity)))


def _firewall(facts: Facts) -> list[Warning]:
    if facts.in_force == facts.wanted:
        return []
    if closed(facts.in_force):
        what = "The firewall refused a change, so the rules that were in force before still are: traffic stays blocked."
    elif closed(facts.wanted):
        what = "The firewall refused the kill switch: your traffic is not held back."
    else:
        what = "The firewall could not be reached, so rules that an earlier run left behind may still block traffic."
    return [warning(FIREWALL_REFUSED, what=what)]


def _no_tunnel(facts: Facts) -> list[Warning]:
    fails = isinstance(facts.state, ErrorState | Connecting)
    return [warning("no_tunnel", why=facts.why.rstrip("."))] if facts.why and fails else []


def _restore(facts: Facts) -> list[Warning]:
    return [warning("restore_incomplete", what="; ".join(facts.unrestored))] if facts.unrestored else []


def _guard(facts: Facts) -> list[Warning]:
    return [] if facts.unguarded is None else [warning("packet_sockets", why=facts.unguarded.rstrip("."))]


def _drift(facts: Facts) -> list[Warning]:
    return [warning("changed_by_others", what="; ".join(facts.drifted))] if facts.drifted else []


def _kill_switch(facts: Facts) -> list[Warning]:
    if facts.settings.kill_switch is not KillSwitchMode.OFF or not isinstance(facts.state, Connected):
        return []
    return [warning("kill_switch_off")]
