"""Checks of the tunnel: state, kill switch, handshakes, DNS, routes, MTU. Each a pure function of the facts."""

from __future__ import annotations

from slopn_helper.diagnose.facts import Facts, Missing
from slopn_wire.diagnosis import Check, Verdict
from slopn_wire.events import PolicyKind
from slopn_wire.settings import KillSwitchMode
from slopn_wire.state import Connected, Connecting, Disconnected, Disconnecting, ErrorState, TargetState
from slopn_wire.words import meaning, sentences

SESSION = 180
"""Seconds that a WireGuard session lasts without a new handshake (REJECT_AFTER_TIME of the WireGuard paper)."""
LEAST_MTU = 1280
OVERHEAD = 80
"""Bytes that WireGuard adds over IPv6."""


def state(facts: Facts) -> Check:
    """Whether the tunnel is as the user wants it, and why not."""
    now = facts.snapshot
    means = meaning(now.policy)
    match now.state:
        case Connected(profile=profile):
            return Check("state", Verdict.FINE, f"Connected through {profile}. {means}")
        case ErrorState(cause=cause, profile=profile):
            what, means, remedy = sentences(cause, now.policy)
            return Check("state", Verdict.BROKEN, f"No tunnel to {profile}: {_small(what)} {means}", remedy)
        case Connecting(profile=profile, attempt=attempt, cause=cause) if attempt and cause is not None:
            what, means, remedy = sentences(cause, now.policy)
            text = f"Connecting to {profile} has failed {attempt} times: {_small(what)} {means}"
            return Check("state", Verdict.BROKEN, text, remedy)
        case Connecting(profile=profile, step=step):
            return Check("state", Verdict.NOTICE, f"Connecting to {profile} right now: {step}. {means}")
        case Disconnecting(cause=cause) if cause is not None:
            what, means, remedy = sentences(cause, now.policy)
            return Check("state", Verdict.BROKEN, f"The tunnel is being taken down: {_small(what)} {means}", remedy)
        case Disconnecting():
            return Check("state", Verdict.NOTICE, f"The tunnel is being taken down right now. {means}")
        case Disconnected() if now.target is TargetState.PAUSED:
            return Check("state", Verdict.NOTICE, f"Paused. {means}", "`slopn connect` ends the pause.")
        case Disconnected() if now.target is TargetState.SECURED:
            text = f"You want to be connected, and no tunnel is being made. {means}"
            return Check("state", Verdict.BROKEN, text, "Run `slopn connect`; if nothing happens, restart the service.")
        case Disconnected():
            return Check("state", Verdict.FINE, f"Disconnected, as you wish. {means}")


def kill_switch(facts: Facts) -> Check:
    """Whether the firewall has the rules that SloPN put there."""
    now, drift = facts.snapshot, facts.firewall_drift
    if isinstance(drift, Missing):
        text = f"Whether the kill switch is in force isn't known: {drift.why}."
        return Check("kill_switch", Verdict.UNKNOWN, text, "Check that nftables works: `sudo nft list ruleset`.")
    if drift is not None:
        text = f"The firewall's rules aren't those that SloPN set: {drift}. What they let through nobody knows."
        remedy = "SloPN puts them back within seconds; if this stays, find out which program changes the firewall."
        return Check("kill_switch", Verdict.BROKEN, text, remedy)
    if now.policy is PolicyKind.UNKNOWN:
        text = "The firewall has refused the kill switch. Your traffic may be going out directly."
        return Check("kill_switch", Verdict.BROKEN, text, "See `slopn logs`; check that nftables works.")
    if now.settings.kill_switch is KillSwitchMode.OFF:
        text = "The kill switch is off. Whenever the tunnel isn't up, your traffic goes out directly."
        return Check("kill_switch", Verdict.NOTICE, text, "Turn it on with `slopn settings set kill_switch on`.")
    mode = now.settings.kill_switch
    return Check("kill_switch", Verdict.FINE, f"The kill switch is {mode}; its rules are in force: {now.policy}.")


def handshake(facts: Facts) -> Check | None:
    """How long the gateway has been silent."""
    if not isinstance(facts.snapshot.state, Connected):
        return None
    last = facts.snapshot.stats.last_handshake
    if last is None:
        text = "No handshake is known, though the tunnel counts as up."
        return Check("handshake", Verdict.BROKEN, text, "Try `slopn reconnect`.")
    age = max(0, round(facts.at - last))
    if age <= SESSION:
        return Check("handshake", Verdict.FINE, f"The gateway answered {_ago(age)}.")
    text = f"The last handshake was {_ago(age)}. That is normal if nothing was sent through the tunnel since."
    return Check("handshake", Verdict.NOTICE, text, "If nothing comes through the tunnel, try `slopn reconnect`.")


def answers(facts: Facts) -> Check | None:
    """Whether the tunnel's resolvers answer. Nobody else is asked."""
    if not isinstance(facts.snapshot.state, Connected):
        return None
    if isinstance(facts.answers, Missing):
        return Check("dns_answers", Verdict.UNKNOWN, f"The tunnel's DNS could not be asked: {facts.answers.why}.")
    if not facts.answers:
        if not facts.snapshot.live.dns.servers:
            return Check(
                "dns_answers", Verdict.NOTICE, "The profile names no DNS server, so this network's own is used."
            )
        text = "The profile's DNS servers aren't inside the tunnel, and are not asked from here."
        return Check("dns_answers", Verdict.UNKNOWN, text, "Give AllowedIPs that cover them if they should be.")
    silent = [str(answer.server) for answer in facts.answers if answer.seconds is None]
    if len(silent) == len(facts.answers):
        text = f"No DNS server of the tunnel answers ({', '.join(silent)}). Names can't be found while connected."
        return Check(
            "dns_answers", Verdict.BROKEN, text, "Check the DNS line of the profile with who runs the gateway."
        )
    if silent:
        text = f"Of the tunnel's DNS servers {', '.join(silent)} gives no answer. Names are found, but slowly at times."
        return Check("dns_answers", Verdict.NOTICE, text, "Take it out of the profile's DNS line.")
    slowest = max(answer.seconds or 0.0 for answer in facts.answers)
    return Check("dns_answers", Verdict.FINE, f"The tunnel's DNS answers within {slowest * 1000:.0f} ms.")


def dns_setting(facts: Facts) -> Check:
    """Whether this computer asks the resolvers that SloPN set."""
    drift = facts.dns_drift
    how = "" if isinstance(facts.dns_choice, Missing) else f" ({facts.dns_choice})"
    if isinstance(drift, Missing):
        return Check("dns_setting", Verdict.UNKNOWN, f"This computer's DNS settings can't be read: {drift.why}.")
    if drift is not None:
        text = f"Another program has changed this computer's DNS: {drift}. Names may be asked for at the wrong place."
        remedy = "SloPN puts it back by itself; if it changes again and again, set `dns_mechanism` to another one."
        return Check("dns_setting", Verdict.BROKEN, text, remedy)
    if not facts.snapshot.live.dns.servers:
        return Check("dns_setting", Verdict.FINE, f"SloPN has changed nothing of this computer's DNS{how}.")
    return Check("dns_setting", Verdict.FINE, f"This computer's DNS is as SloPN set it{how}.")


def routes(facts: Facts) -> Check:
    """Whether addresses, routes and rules are those that SloPN set."""
    drift = facts.routes_drift
    if isinstance(drift, Missing):
        return Check("routes", Verdict.UNKNOWN, f"The routes can't be read: {drift.why}.")
    if drift is not None:
        text = f"SloPN's routes aren't as it set them: {drift}. Traffic may not find the tunnel."
        return Check("routes", Verdict.BROKEN, text, "Try `slopn reconnect`.")
    if facts.snapshot.live.interface is None:
        return Check("routes", Verdict.FINE, "SloPN has no routes of its own right now.")
    return Check("routes", Verdict.FINE, "Addresses, routes and policy rules are as SloPN set them.")


def mtu(facts: Facts) -> Check | None:
    """Whether full packets of the tunnel fit through the network."""
    live, network = facts.snapshot.live, facts.snapshot.network
    if live.interface is None or live.mtu is None:
        return None
    way = live.path_mtu - _overhead(facts) if live.path_mtu is not None else live.mtu
    if live.mtu > max(way, LEAST_MTU):
        text = f"Packets of the tunnel are up to {live.mtu} bytes, the way to the gateway takes {way}."
        return Check("mtu", Verdict.BROKEN, f"{text} Large transfers stall.", f"Set MTU = {way} in the profile.")
    fits = max(network.mtu - OVERHEAD, LEAST_MTU)
    if live.mtu > fits:
        text = (
            f"Packets of the tunnel are up to {live.mtu} bytes, this network takes {fits}. Large transfers may stall."
        )
        return Check("mtu", Verdict.BROKEN, text, f"Set MTU = {fits} in the profile, or take the line out.")
    return Check("mtu", Verdict.FINE, f"The tunnel's MTU is {live.mtu}, the network's {network.mtu}.")


def _overhead(facts: Facts) -> int:
    """Bytes that WireGuard adds on the way to the gateway in use."""
    endpoint = facts.snapshot.stats.endpoint
    return OVERHEAD if endpoint is None or ":" in endpoint.host else OVERHEAD - 20


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _ago(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s ago"
    return f"{seconds // 60} min ago" if seconds < 7200 else f"{seconds // 3600} h ago"
