from __future__ import annotations

import pytest

from slopn_app import words
from slopn_wire.devices import Right, UserBasis
from slopn_wire.diagnosis import Verdict
from slopn_wire.events import PolicyKind
from slopn_wire.state import AfterDisconnect, ErrorCause, Step


def every_headline() -> list[tuple[str, str, words.Headline]]:
    """State, policy and headline, for all there are."""
    found: list[tuple[str, str, words.Headline]] = []
    for policy in PolicyKind:
        found += [
            ("disconnected", policy, words.disconnected(policy)),
            ("connected", policy, words.connected("berlin", "detail", policy, None)),
            ("connected", policy, words.connected("berlin", "detail", policy, "A problem.")),
            *(("disconnecting", policy, words.disconnecting(policy, then=then)) for then in AfterDisconnect),
            ("paused", policy, words.paused(90, policy)),
            *(("error", policy, words.failed(cause, policy)) for cause in ErrorCause),
            *(
                ("connecting", policy, words.connecting("berlin", step, attempt, cause, policy))
                for step in Step
                for attempt, cause in ((0, None), (3, "stale"))
            ),
        ]
    return found


@pytest.mark.parametrize(("state", "policy", "headline"), every_headline())
def test_the_three_words_mean_exactly_the_policy(state: str, policy: str, headline: words.Headline) -> None:
    """Protected is never said but of tunnelled, blocked never but of blocked, not protected never but of open."""
    title, line = headline
    assert title
    assert line
    assert title.startswith("Protected") <= (policy == "tunnelled" and state == "connected")
    assert title.startswith("Blocked") <= (policy == "blocked")
    assert title.startswith("Not protected") <= (policy == "open")


@pytest.mark.parametrize(("state", "policy", "headline"), every_headline())
def test_an_unknown_policy_promises_nothing(state: str, policy: str, headline: words.Headline) -> None:
    """When the firewall gives no answer, every state but a settled one says that traffic may be going out."""
    if policy == "unknown":
        assert "may be going out directly" in headline[1], state


@pytest.mark.parametrize(
    ("headline", "title", "line"),
    [
        (words.disconnected("open"), "Not protected", "Your traffic goes out directly."),
        (words.disconnected("blocked"), "Blocked", "Nothing leaves this computer until you connect."),
        (
            words.connecting("berlin", "handshake", 0, None, "blocked"),
            "Connecting to berlin…",
            "Waiting for the gateway's answer · nothing leaves meanwhile",
        ),
        (
            words.connecting("berlin", "resolving", 0, None, "open"),
            "Connecting to berlin…",
            "Looking up the gateway · your traffic still goes out directly",
        ),
        (
            words.connecting("berlin", "waiting", 2, "handshake", "blocked"),
            "Reconnecting to berlin…",
            "The gateway doesn't answer · try 3: waiting before the next try · nothing leaves meanwhile",
        ),
        (
            words.connected("berlin", "vpn:1 · since 14:02", "tunnelled", None),
            "Protected through berlin",
            "vpn:1 · since 14:02",
        ),
        (words.connected("berlin", "x", "tunnelled", "It leaks."), "Protected, with a problem", "It leaks."),
        (
            words.connected("berlin", "x", "open", None),
            "Connected through berlin",
            "x · The kill switch is off: if the tunnel fails, your traffic goes out directly.",
        ),
        (words.disconnecting("blocked", then="reconnect"), "Reconnecting…", "Nothing leaves meanwhile"),
        (words.disconnecting("open", then="pause"), "Pausing…", "Your traffic still goes out directly"),
        (
            words.paused(299.6, "open"),
            "Paused for 5:00",
            "Your traffic goes out directly. SloPN connects again by itself; `slopn connect` ends the pause now.",
        ),
        (
            words.paused(-3, "blocked"),
            "Paused for 0:00",
            "Nothing leaves this computer. SloPN connects again by itself; `slopn connect` ends the pause now.",
        ),
        (
            words.connecting("berlin", "handshake", 0, None, "blocked", 3.4),
            "Connecting to berlin…",
            "Waiting for the gateway's answer · 3 s · nothing leaves meanwhile",
        ),
        (words.disconnecting("open", then="nothing"), "Disconnecting…", "Your traffic still goes out directly"),
        (
            words.failed("offline", "blocked"),
            "Blocked: no network",
            "Nothing leaves this computer. Join a network; SloPN then goes on by itself.",
        ),
        (
            words.failed("offline", "open"),
            "Not protected: no network",
            "Your traffic goes out directly. Join a network; SloPN then goes on by itself.",
        ),
    ],
)
def test_headlines_by_example(headline: words.Headline, title: str, line: str) -> None:
    """The table of UI.md, state for state."""
    assert headline == (title, line)


def test_every_word_of_the_wire_has_words() -> None:
    """A new step, right, reason or verdict can't be forgotten."""
    assert set(words.STEPS) == set(Step)
    assert set(words.RIGHTS) == set(Right)
    assert set(words.BASES) == set(UserBasis)
    assert set(words.VERDICTS) == set(Verdict)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (-5, "0:00"), (9.4, "0:09"), (299.6, "5:00"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_countdowns(seconds: float, text: str) -> None:
    """To the second, never below nothing."""
    assert words.countdown(seconds) == text


@pytest.mark.parametrize("step", Step)
def test_hints_come_when_a_step_takes_long(step: Step) -> None:
    """Not at once, unless the last try failed: then for its reason. Waiting is no fault."""
    assert words.hint(step, words.PATIENCE - 1, None) == ""
    assert bool(words.hint(step, words.PATIENCE, None)) == (step is not Step.WAITING)
    assert words.hint(step, 0, "offline") == "Join a network; SloPN then goes on by itself."


def test_without_a_helper_the_rules_stay() -> None:
    """What happened, what it means, what to do."""
    assert words.unreachable()[1] == "Rules that were in force stay in force."
