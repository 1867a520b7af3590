"""The sentences behind an `ErrorCause`, the same in every front end: what happened, what it means, what to do.

Keyed by the plain words of the wire, so that a front end can speak without importing the types.
"""

from __future__ import annotations

Sentences = tuple[str, str, str]
"""An error as a person reads it, in three short lines: what happened, what it means, what to do."""

# By cause: a few words, what happened, what to do.
_CAUSES = {
    "offline": (
        "no network",
        "This computer isn't on any network.",
        "Join a network; SloPN then goes on by itself.",
    ),
    "resolve": (
        "the gateway's name can't be found",
        "No resolver knows the address of the gateway's name.",
        "Check the name in the profile and that this network's resolver answers; SloPN keeps trying.",
    ),
    "handshake": (
        "the gateway doesn't answer",
        "The gateway doesn't answer.",
        "Check that it runs, that both keys are right and that this network lets UDP through; SloPN keeps trying.",
    ),
    "stale": (
        "the tunnel went silent",
        "Nothing has come back through the tunnel for a while.",
        "Wait: SloPN connects again by itself.",
    ),
    "unprotected": (
        "no post-quantum key with the gateway",
        "The profile demands a post-quantum key, and the gateway agrees none.",
        "Check that the gateway is SloPN's, and up to date; `slopn profiles NAME --post-quantum on` goes without. SloPN keeps trying.",
    ),
    "bad_profile": (
        "the profile can't be used",
        "The profile can't be used as it is.",
        "See what is wrong with `slopn logs`, disconnect, then import it again with `slopn import --replace`.",
    ),
    "overlap": (
        "this network is in the tunnel's way",
        "The tunnel and the network that this computer is on use the same addresses.",
        "Join another network, or have one of them numbered anew; `slopn logs` names both. SloPN tries again on the next network.",
    ),
    "tun_device": (
        "no tunnel device",
        "The network device of the tunnel can't be made.",
        "Check that /dev/net/tun is there (`sudo modprobe tun`) and that no other program uses the device's name.",
    ),
    "engine": (
        "the tunnel broke down",
        "The part that carries the tunnel's packets has stopped.",
        "Try `slopn reconnect`; `slopn logs` says why it stopped.",
    ),
    "firewall": (
        "the firewall can't be set",
        "The rules that hold traffic back can't be set.",
        "See `slopn logs`; check that nftables works (`sudo nft list ruleset`).",
    ),
    "host": (
        "routes or DNS can't be set",
        "This computer's addresses, routes or DNS can't be set.",
        "See `slopn logs`; another program may be managing them.",
    ),
    "restore": (
        "routes or DNS can't be put back",
        "This computer's addresses, routes or DNS can't be put back as they were.",
        "Run `sudo slopn-helper restore`; `slopn logs` says what stands in the way.",
    ),
    "stopped": (
        "SloPN's service is stopping",
        "SloPN's service is being stopped, though you wanted to be connected.",
        "Start it again to connect, or run `sudo slopn-helper restore` to go without.",
    ),
}

_MEANINGS = {
    "open": "Your traffic goes out directly.",
    "blocked": "Nothing leaves this computer.",
    "tunnelled": "Your traffic goes through the tunnel.",
    "unknown": "The firewall gives no answer: your traffic may be going out directly.",
}


def short(cause: str) -> str:
    """`cause` (an `ErrorCause`) in a few words that fit behind a colon. Raises `KeyError` for anything else."""
    return _CAUSES[cause][0]


def meaning(policy: str) -> str:
    """What `policy` (a `PolicyKind`) means for a person's traffic. Raises `KeyError` for anything else."""
    return _MEANINGS[policy]


def sentences(cause: str, policy: str) -> Sentences:
    """`cause` (an `ErrorCause`) while `policy` (a `PolicyKind`) is in force. Raises `KeyError` for anything else."""
    _, what, remedy = _CAUSES[cause]
    return what, _MEANINGS[policy], remedy
