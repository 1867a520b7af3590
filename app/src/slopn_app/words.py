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

RIGHTS = {
    "view": "see state, settings and log",
    "connect": "connect, disconnect, pause",
    "configure": "change settings and profiles, export keys, pair others, unlock",
}
"""What a front end may do, by the wire's `Right`."""

BASES = {
    "root": "root may do everything",
    "group": "a member of the group slopn",
    "added": "added with `slopn users add`",
    "seat": "sits at this computer's screen (setting local_user)",
}
"""Why somebody may use SloPN, by the wire's `UserBasis`."""

VERDICTS = {"fine": "fine", "notice": "worth knowing", "broken": "broken", "unknown": "not known"}
"""What a check found, by the wire's `Verdict`."""

PATIENCE = 10.0
"""Seconds after which a step that isn't done gets a hint."""
_LIKELY = {"resolving": "resolve", "handshake": "handshake", "configuring": "host"}
# What is wrong most often when a step takes long.


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


def paused(left: float, policy: str) -> Headline:
    """No tunnel for `left` seconds more."""
    return (
        f"Paused for {countdown(left)}",
        f"{words.meaning(policy)} SloPN connects again by itself; `slopn connect` ends the pause now.",
    )


def countdown(seconds: float) -> str:
    """What is left, to the second: 4:59, 1:02:03. Never less than nothing."""
    whole = max(int(seconds + 0.5), 0)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def connecting(
    profile: str,
    step: str,
    attempt: int,
    cause: str | None,
    policy: str,
    seconds: float | None = None,
    again: float | None = None,
) -> Headline:
    """On the way up; `attempt` > 0 after a failure.

    `seconds`: for how long this step has been running. `again`: seconds until the next try, if that is waited for.
    """
    if again is not None:
        doing = f"next try in {max(again, 0):.0f} s"
    else:
        doing = STEPS[step] if seconds is None else f"{STEPS[step]} · {max(seconds, 0):.0f} s"
    if attempt and cause is not None:
        return (
            f"Reconnecting to {profile}…",
            f"{_capital(words.short(cause))} · try {attempt + 1}: {doing} · {_meanwhile(policy)}",
        )
    return f"Connecting to {profile}…", f"{_capital(doing)} · {_meanwhile(policy)}"


def hint(step: str, seconds: float, cause: str | None) -> str:
    """What the user can do about a tunnel that isn't coming up; empty while that is normal.

    `cause`: why the last try failed. `seconds`: for how long `step` has been running.
    """
    if cause is None and seconds >= PATIENCE:
        cause = _LIKELY.get(step)
    return "" if cause is None else words.sentences(cause, "open")[2]


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


def disconnecting(policy: str, *, then: str) -> Headline:
    """On the way down; `then`: where that leads, the wire's `AfterDisconnect`."""
    title = {"reconnect": "Reconnecting…", "pause": "Pausing…"}.get(then, "Disconnecting…")
    return title, _capital(_meanwhile(policy))


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
