"""What a front end says about the tunnel: one headline, one line under it.

"Protected", "not protected" and "blocked" mean exactly the policies tunnelled, open and blocked, and nothing is claimed
that the helper has not confirmed. Takes the wire's plain words, so that nothing heavy is imported to speak.
"""

from __future__ import annotations

from slopn_wire import words

STEPS = {
    "resolving": "looking up the gateway",
    "handshake": "waiting for the gateway's answer",
    "configuring": "setting addresses, routes and DNS",
    "waiting": "waiting before the next try",
}
"""What a connecting tunnel is doing, by the wire's `Step`."""


Headline = tuple[str, str]
"""The state in words: a title and one line."""


def disconnected(policy: str) -> Headline:
    """No tunnel, and none wanted."""
    match policy:
        case "open":
            return "Not protected", words.meaning(policy)
        case "blocked":
            return "Blocked", "Nothing leaves this computer until you connect."
        case _:
            return "Not connected", words.meaning(policy)


def connecting(profile: str, step: str, attempt: int, cause: str | None, policy: str) -> Headline:
    """On the way up; `attempt` > 0 after a failure."""
    if attempt and cause is not None:
        return (
            f"Reconnecting to {profile}…",
            f"{_capital(words.short(cause))} · try {attempt + 1}: {STEPS[step]} · {_meanwhile(policy)}",
        )
    return f"Connecting to {profile}…", f"{_capital(STEPS[step])} · {_meanwhile(policy)}"


def connected(profile: str, detail: str, policy: str, warning: str | None) -> Headline:
    """Up. `detail`: endpoint, time and the like; `warning`: the first of the health list that matters."""
    if policy != "tunnelled":
        rest = (
            "The kill switch is off: if the tunnel fails, your traffic goes out directly."
            if policy == "open"
            else words.meaning(policy)
        )
        return f"Connected through {profile}", f"{detail} · {rest}"
    if warning is not None:
        return "Protected, with a problem", warning
    return f"Protected through {profile}", detail


def disconnecting(policy: str, *, again: bool) -> Headline:
    """On the way down; `again`: to come up once more."""
    return "Reconnecting…" if again else "Disconnecting…", _capital(_meanwhile(policy))


def failed(cause: str, policy: str) -> Headline:
    """No tunnel is possible until something changes."""
    title = {"blocked": "Blocked", "open": "Not protected"}.get(policy, "Not connected")
    _, meaning, remedy = words.sentences(cause, policy)
    return f"{title}: {words.short(cause)}", f"{meaning} {remedy}"


def unreachable() -> words.Sentences:
    """The helper doesn't answer."""
    return (
        "SloPN's service isn't running.",
        "Rules that were in force stay in force.",
        "Start it with `sudo systemctl start slopn-helper`.",
    )


def _meanwhile(policy: str) -> str:
    match policy:
        case "blocked" | "tunnelled":
            return "nothing leaves meanwhile"
        case "open":
            return "your traffic still goes out directly"
        case _:
            return "your traffic may be going out directly"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
