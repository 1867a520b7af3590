"""What `slopn status` says, from a snapshot. Pure."""

from __future__ import annotations

from slopn_app import words
from slopn_app.cli.output import ago, clock, size, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.cli.documents import EndpointDoc, SnapshotDoc, StatusDoc


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
        "rx_bytes": stats["rx_bytes"],
        "tx_bytes": stats["tx_bytes"],
        "last_handshake": stats["last_handshake"],
        "path_mtu": live["path_mtu"],
        "kill_switch": snapshot["settings"]["kill_switch"],
        "policy": snapshot["policy"],
        "network": snapshot["network"],
        "warnings": snapshot["health"],
        "seq": snapshot["seq"],
    }


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


def headline(snapshot: SnapshotDoc, now: float) -> words.Headline:
    """The state in one headline and one line."""
    state, policy = snapshot["state"], snapshot["policy"]
    if state["type"] == "disconnected":
        return words.disconnected(policy)
    if state["type"] == "connecting":
        return words.connecting(state["profile"], state["step"], state["attempt"], state["cause"], policy)
    if state["type"] == "connected":
        details = [endpoint(snapshot), f"since {clock(snapshot['since'], now)}"]
        if snapshot["live"]["path_mtu"] is not None:
            details.append(f"path MTU {snapshot['live']['path_mtu']}")
        problem = next((found["text"] for found in snapshot["health"] if found["severity"] != "info"), None)
        return words.connected(state["profile"], " · ".join(filter(None, details)), policy, problem)
    if state["type"] == "disconnecting":
        return words.disconnecting(policy, again=state["then"] == "reconnect")
    return words.failed(state["cause"], policy)


def lines(snapshot: SnapshotDoc, now: float) -> list[str]:
    """The whole for a person: headline, facts, warnings."""
    title, line = headline(snapshot, now)
    return [title, f"  {line}", *(f"  {row}" for row in table(_facts(snapshot, now))), *_warnings(snapshot)]


def _facts(snapshot: SnapshotDoc, now: float) -> list[tuple[str, str]]:
    live, stats, network = snapshot["live"], snapshot["stats"], snapshot["network"]
    rows = []
    if live["interface"]:
        rows.append(("interface", ", ".join([live["interface"], *live["addresses"]])))
        rows.append(("DNS", ", ".join(live["dns"]["servers"]) or "unchanged"))
        handshake = stats["last_handshake"]
        rows.append(("last handshake", "none yet" if handshake is None else f"{ago(now - handshake)} ago"))
        rows.append(("received, sent", f"{size(stats['rx_bytes'])}, {size(stats['tx_bytes'])}"))
    rows.append(("kill switch", snapshot["settings"]["kill_switch"]))
    uplink = f" through {network['interface']}" if network["interface"] else ""
    rows.append(("network", f"online{uplink}" if network["online"] else "offline"))
    return rows


def _warnings(snapshot: SnapshotDoc) -> list[str]:
    return [f"  {found['severity'].capitalize()}: {found['text']}" for found in snapshot["health"]]
