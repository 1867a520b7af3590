from __future__ import annotations

import pytest

from slopn_app import words
from slopn_wire.events import PolicyKind
from slopn_wire.state import ErrorCause, Step


def every_headline() -> list[tuple[str, str, words.Headline]]:
    """State, policy and headline, for all there are."""
    found: list[tuple[str, str, words.Headline]] = []
    for policy in PolicyKind:
        found += [
            ("disconnected", policy, words.disconnected(policy)),
            ("connected", policy, words.connected("berlin", "detail", policy, None)),
            ("connected", policy, words.connected("berlin", "detail", policy, "A problem.")),
            *(("disconnecting", policy, words.disconnecting(policy, again=again)) for again in (True, False)),
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
        (words.disconnecting("blocked", again=True), "Reconnecting…", "Nothing leaves meanwhile"),
        (words.disconnecting("open", again=False), "Disconnecting…", "Your traffic still goes out directly"),
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


def test_every_step_has_words() -> None:
    """A new step can't be forgotten."""
    assert set(words.STEPS) == set(Step)


def test_without_a_helper_the_rules_stay() -> None:
    """What happened, what it means, what to do."""
    assert words.unreachable()[1] == "Rules that were in force stay in force."
