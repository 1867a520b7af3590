"""What `slopn status` says, from a snapshot. Pure."""

from __future__ import annotations

from slopn_app import words
from slopn_app.cli.output import ago, clock, size, table
from slopn_app.locale import t, warned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.cli.documents import SnapshotDoc, StatusDoc
    from slopn_app.cli.output import Line
    from slopn_app.cli.snapshot_documents import EndpointDoc, LiveDoc, NetworkDoc, WarningDoc

SEVERITIES = {"info": "", "warning": "attention", "error": "bad"}
"""The colour of a warning."""

_SAFE = 1280
"""What the helper takes where nobody answers (`slopn_helper.pathmtu.LEAST`)."""


def status(snapshot: SnapshotDoc) -> StatusDoc:
    """The document for scripts."""
    state, live, stats = snapshot["state"], snapshot["live"], snapshot["stats"]
    return {
        "state": state["type"],
        "attempt": 0 if state["type"] == "disconnected" or state["type"] == "connected" else state["attempt"],
        "cause": None if state["type"] == "disconnected" or state["type"] == "connected" else state["cause"],
        "blocking": snapshot["policy"] == "blocked" and (state["type"] != "error" or state["blocking"]),
        "profile": None if state["type"] == "disconnected" else state["profile"],
        "endpoint": endpoint(snapshot),
        "interface": live["interface"],
        "addresses": live["addresses"],
        "dns": live["dns"]["servers"],
        "since": snapshot["since"],
        "paused_until": snapshot["paused_until"],
        "next_try": snapshot["next_try"],
        "rx_bytes": stats["rx_bytes"],
        "tx_bytes": stats["tx_bytes"],
        "last_handshake": stats["last_handshake"],
        "path_mtu": live["path_mtu"],
        "gateway": None if live["gateway"] is None else address(live["gateway"]),
        "post_quantum": protection(live),
        "post_quantum_since": None if live["post_quantum"] is None else live["post_quantum"]["since"],
        "kill_switch": snapshot["settings"]["kill_switch"],
        "policy": snapshot["policy"],
        "network": snapshot["network"],
        "warnings": snapshot["health"],
        "seq": snapshot["seq"],
    }


def protection(live: LiveDoc) -> str | None:
    """How far the post-quantum key is, in one word; None: the profile wants none."""
    now = live["post_quantum"]
    if now is None:
        return None
    if now["since"] is not None:
        return "protected"
    return "unanswered" if now["failed"] else "agreeing"


def endpoint(snapshot: SnapshotDoc) -> str | None:
    """Where the tunnel's packets go: the first peer's address, once it is resolved, or what it moved to."""
    state = snapshot["state"]
    if state["type"] == "connected" and (moved := snapshot["stats"].get("endpoint")) is not None:
        return address(moved)
    if (state["type"] == "connecting" or state["type"] == "connected") and state["endpoints"]:
        return address(state["endpoints"][0])
    return None


def address(found: EndpointDoc) -> str:
    """host:port, an IPv6 address in brackets."""
    host = found["host"]
    return f"[{host}]:{found['port']}" if ":" in host else f"{host}:{found['port']}"


def headline(snapshot: SnapshotDoc, now: float, *, live: bool = False) -> words.Headline:
    """The state in one headline and one line. `live`: somebody looks on, so that seconds may count up."""
    state, policy = snapshot["state"], snapshot["policy"]
    if state["type"] == "disconnected":
        if snapshot["target"] == "paused" and snapshot["paused_until"] is not None:
            return words.paused(snapshot["paused_until"] - now, policy)
        return words.disconnected(policy)
    if state["type"] == "connecting":
        seconds = now - snapshot["since"] if live else None
        again = None if snapshot["next_try"] is None else snapshot["next_try"] - now
        return words.connecting(
            state["profile"], state["step"], state["attempt"], state["cause"], policy, seconds, again
        )
    if state["type"] == "connected":
        details = [endpoint(snapshot), t("since {time}", time=clock(snapshot["since"], now))]
        if snapshot["live"]["path_mtu"] is not None:
            details.append(t("path MTU {mtu}", mtu=snapshot["live"]["path_mtu"]))
        problem = next((_said(found)[0] for found in snapshot["health"] if found["severity"] != "info"), None)
        return words.connected(state["profile"], " · ".join(filter(None, details)), policy, problem)
    if state["type"] == "disconnecting":
        return words.disconnecting(policy, then=state["then"])
    return words.failed(state["cause"], policy)


def colour(snapshot: SnapshotDoc) -> str:
    """The headline's: protected, on the way or with a problem, exposed or blocked by an error."""
    state, policy = snapshot["state"], snapshot["policy"]
    if state["type"] == "error":
        return "bad"
    if state["type"] == "connected" and policy == "tunnelled":
        return "attention" if any(found["severity"] != "info" for found in snapshot["health"]) else "good"
    if state["type"] == "disconnected" and policy == "open" and snapshot["target"] != "paused":
        return "bad"
    return "attention"


def lines(snapshot: SnapshotDoc, now: float, *, live: bool = False, rates: str = "") -> list[Line]:
    """The whole for a person: headline, hint, facts, warnings with what to do. `rates`: bytes a second, in words."""
    title, line = headline(snapshot, now, live=live)
    state, hint = snapshot["state"], ""
    if state["type"] == "connecting":
        hint = words.hint(state["step"], now - snapshot["since"], state["cause"])
    return [
        ((title, colour(snapshot)),),
        f"  {line}",
        *([f"  {hint}"] if hint else []),
        *(f"  {row}" for row in table(_facts(snapshot, now, rates))),
        *_warnings(snapshot),
    ]


def _facts(snapshot: SnapshotDoc, now: float, rates: str) -> list[tuple[str, str]]:
    live, stats, network = snapshot["live"], snapshot["stats"], snapshot["network"]
    rows = []
    if live["interface"]:
        rows.append((t("interface"), ", ".join([live["interface"], *live["addresses"]])))
        rows.append(("DNS", ", ".join(live["dns"]["servers"]) or t("unchanged")))
        handshake = stats["last_handshake"]
        last = t("none yet") if handshake is None else t("{time} ago", time=ago(now - handshake))
        rows.append((t("last handshake"), last))
        rows.append((t("received, sent"), f"{size(stats['rx_bytes'])}, {size(stats['tx_bytes'])}"))
        if rates:
            rows.append((t("right now"), rates))
    if live["gateway"] is not None:
        rows.append((t("gateway"), address(live["gateway"])))
    if (word := protection(live)) is not None:
        rows.append((t("post-quantum"), _protection(word, live, now)))
    if live["mtu"] is not None:
        rows.append(("MTU", _mtu(snapshot, live["mtu"])))
    rows.append((t("kill switch"), snapshot["settings"]["kill_switch"]))
    rows.append((t("network"), _network(network)))
    if snapshot["pairings"]:
        rows.append((t("waiting"), t("{count} to be paired: `slopn devices`", count=len(snapshot["pairings"]))))
    return rows


def _protection(word: str, live: LiveDoc, now: float) -> str:
    since = None if live["post_quantum"] is None else live["post_quantum"]["since"]
    if since is not None:
        return t("protected since {time}", time=clock(since, now))
    if word == "unanswered":
        return t("not protected: the gateway doesn't answer")
    return t("not protected yet: a key is being agreed")


def _mtu(snapshot: SnapshotDoc, mtu: int) -> str:
    """What the tunnel's packets have at most, and why."""
    path, state = snapshot["live"]["path_mtu"], snapshot["state"]
    used = None if state["type"] == "disconnected" else state["profile"]
    if any(profile["name"] == used and profile["mtu"] is not None for profile in snapshot["profiles"]):
        return t("{mtu}, fixed by the profile", mtu=mtu)
    if path is not None:
        return t("{mtu}, the path carries {path}", mtu=mtu, path=path)
    if mtu == _SAFE:
        return t("{mtu}, the safe size: what the path carries isn't known", mtu=mtu)
    return t("{mtu}, the path is still being measured", mtu=mtu)


def _network(network: NetworkDoc) -> str:
    if not network["online"]:
        return t("offline")
    return t("online through {interface}", interface=network["interface"]) if network["interface"] else t("online")


def _warnings(snapshot: SnapshotDoc) -> list[Line]:
    found: list[Line] = []
    for warning in snapshot["health"]:
        kind = SEVERITIES.get(warning["severity"], "attention")
        text, remedy = _said(warning)
        severity = t(words.SEVERITIES.get(warning["severity"], warning["severity"].capitalize()))
        found.append(((f"  {severity}:", kind), (f" {text}", "")))
        if remedy:
            found.append(f"    {remedy}")
    return found


def _said(warning: WarningDoc) -> tuple[str, str]:
    return warned(warning["code"], warning["text"], warning["remedy"], warning["args"])
