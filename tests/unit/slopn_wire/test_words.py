from __future__ import annotations

import pytest

from slopn_wire.events import PolicyKind
from slopn_wire.state import ErrorCause
from slopn_wire.words import meaning, sentences, short


@pytest.mark.parametrize("cause", ErrorCause)
@pytest.mark.parametrize("policy", PolicyKind)
def test_every_cause_has_its_sentences(cause: ErrorCause, policy: PolicyKind) -> None:
    """What happened, what it means, what to do: each a sentence, and no two causes share their first."""
    found = sentences(cause, policy)
    assert all(line[0].isupper() and line.endswith(".") for line in found)
    assert sum(sentences(other, policy)[0] == found[0] for other in ErrorCause) == 1


@pytest.mark.parametrize("cause", ErrorCause)
def test_every_cause_fits_behind_a_colon(cause: ErrorCause) -> None:
    """The short form is a phrase, without a full stop."""
    assert 5 <= len(short(cause)) <= 40
    assert not short(cause).endswith(".")


def test_each_policy_means_something_else() -> None:
    """A person can tell the policies apart, and is never told that an unknown one holds anything back."""
    assert len({meaning(policy) for policy in PolicyKind}) == len(PolicyKind)
    assert "may be going out" in meaning(PolicyKind.UNKNOWN)


@pytest.mark.parametrize("word", ["secure", "anonymous", "server", "session"])
def test_words_that_are_never_used(word: str) -> None:
    """UI and DESIGN name words that promise too much or mean something else."""
    everything = [*(line for cause in ErrorCause for line in (*sentences(cause, "open"), short(cause)))]
    assert [line for line in everything if word in line.lower()] == []


def test_unknown_words_are_errors() -> None:
    """Nothing is made up for a cause that is none."""
    with pytest.raises(KeyError):
        short("gremlins")
