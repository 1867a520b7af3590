"""What a front end says about the tunnel: one headline, one line under it.

"Protected", "not protected" and "blocked" mean exactly the policies tunnelled, open and blocked, and nothing is claimed
that the helper has not confirmed. Takes the wire's plain words, so that nothing heavy is imported to speak, and says
everything in the language of `slopn_app.locale`.
"""

from __future__ import annotations

from slopn_app.locale import t
from slopn_wire import words

STEPS = {
    "resolving": "looking up the gateway",
    "handshake": "waiting for the gateway's answer",
    "configuring": "setting addresses, routes and DNS",
    "protecting": "agreeing the post-quantum key",
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

SEVERITIES = {"info": "Info", "warning": "Warning", "error": "Error"}
"""What stands before a warning, by the wire's `Severity`."""

PATIENCE = 10.0
"""Seconds after which a step that isn't done gets a hint."""
_LIKELY = {"resolving": "resolve", "handshake": "handshake", "configuring": "host", "protecting": "unprotected"}
# What is wrong most often when a step takes long.


Headline = tuple[str, str]
"""The state in words: a title and one line."""


def disconnected(policy: str) -> Headline:
    """No tunnel, and none wanted."""
    match policy:
        case "open":
            return t("Not protected"), meaning(policy)
        case "blocked":
            return t("Blocked"), t("Nothing leaves this computer until you connect.")
        case _:
            return t("Not connected"), meaning(policy)


def paused(left: float, policy: str) -> Headline:
    """No tunnel for `left` seconds more."""
    return (
        t("Paused for {time}", time=countdown(left)),
        f"{meaning(policy)} {t('SloPN connects again by itself; `slopn connect` ends the pause now.')}",
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
        doing = t("next try in {seconds} s", seconds=f"{max(again, 0):.0f}")
    elif seconds is not None:
        doing = t("{doing} · {seconds} s", doing=t(STEPS[step]), seconds=f"{max(seconds, 0):.0f}")
    else:
        doing = t(STEPS[step])
    if attempt and cause is not None:
        return (
            t("Reconnecting to {profile}…", profile=profile),
            f"{short(cause)} · {t('try {number}', number=attempt + 1)}: {doing} · {meanwhile(policy)}",
        )
    return t("Connecting to {profile}…", profile=profile), f"{capital(doing)} · {meanwhile(policy)}"


def hint(step: str, seconds: float, cause: str | None) -> str:
    """What the user can do about a tunnel that isn't coming up; empty while that is normal.

    `cause`: why the last try failed. `seconds`: for how long `step` has been running.
    """
    if cause is None and seconds >= PATIENCE:
        cause = _LIKELY.get(step)
    return "" if cause is None else t(words.sentences(cause, "open")[2])


def connected(profile: str, detail: str, policy: str, warning: str | None) -> Headline:
    """Up. `detail`: endpoint, time and the like; `warning`: the first of the health list that matters."""
    if policy != "tunnelled":
        rest = (
            t("The kill switch is off: if the tunnel fails, your traffic goes out directly.")
            if policy == "open"
            else meaning(policy)
        )
        return t("Connected through {profile}", profile=profile), f"{detail} · {rest}"
    if warning is not None:
        return t("Protected, with a problem"), warning
    return t("Protected through {profile}", profile=profile), detail


def disconnecting(policy: str, *, then: str) -> Headline:
    """On the way down; `then`: where that leads, the wire's `AfterDisconnect`."""
    title = {"reconnect": t("Reconnecting…"), "pause": t("Pausing…")}.get(then, t("Disconnecting…"))
    return title, capital(meanwhile(policy))


def failed(cause: str, policy: str) -> Headline:
    """No tunnel is possible until something changes."""
    _, what_it_means, remedy = sentences(cause, policy)
    return stopped(cause, policy), f"{what_it_means} {remedy}"


def stopped(cause: str, policy: str) -> str:
    """A headline for what stands in the way."""
    why = t(words.short(cause))
    match policy:
        case "blocked":
            return t("Blocked: {cause}", cause=why)
        case "open":
            return t("Not protected: {cause}", cause=why)
        case _:
            return t("Not connected: {cause}", cause=why)


def sentences(cause: str, policy: str) -> words.Sentences:
    """What happened, what it means, what to do."""
    what, what_it_means, remedy = words.sentences(cause, policy)
    return t(what), t(what_it_means), t(remedy)


def short(cause: str) -> str:
    """`cause` in a few words, as a sentence begins."""
    return capital(t(words.short(cause)))


def unreachable() -> words.Sentences:
    """The helper doesn't answer."""
    return (
        t("SloPN's service isn't running."),
        t("Rules that were in force stay in force."),
        t("Start it with `sudo systemctl start slopn-helper`."),
    )


def meaning(policy: str) -> str:
    """What `policy` means for a person's traffic."""
    return t(words.meaning(policy))


def meanwhile(policy: str) -> str:
    """The same, within a sentence."""
    match policy:
        case "blocked" | "tunnelled":
            return t("nothing leaves meanwhile")
        case "open":
            return t("your traffic still goes out directly")
        case _:
            return t("your traffic may be going out directly")


def capital(text: str) -> str:
    """A sentence begins with a capital."""
    return text[:1].upper() + text[1:]
