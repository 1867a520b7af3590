"""What is asked of an API, and what its answers mean; `test_enroller` has the conversation with a real one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.enrolment import exchange
from slopn_helper.enrolment.exchange import ApiError
from slopn_helper.enrolment.https import Answer
from slopn_helper.secrets import Secret
from slopn_wire import codec
from slopn_wire.enrolment_api import CHALLENGE, ApiProblem, Challenge
from support.aio import in_loop

KEY = Secret(bytes(range(32)))
GIVEN = Challenge(b"c" * 16, exchange.public_key(Secret(b"v" * 32)), 60.0)


class Scripted:
    """Gives a challenge, then `last`."""

    def __init__(self, last: Answer, challenge: Challenge = GIVEN) -> None:
        self.last = last
        self.challenge = challenge
        self.paths: list[str] = []

    async def __call__(self, path: str, body: bytes) -> Answer:
        """See `Post`."""
        del body
        self.paths.append(path)
        return Answer(200, codec.encode(self.challenge)) if path == CHALLENGE else self.last


async def refused(answer: Answer, challenge: Challenge = GIVEN) -> ApiError:
    """The error that an answer is."""
    with pytest.raises(ApiError) as caught:
        await exchange.renew(Scripted(answer, challenge), KEY)
    return caught.value


@in_loop
async def test_a_gateways_no_is_a_sentence_of_ours() -> None:
    """With what it means for the enrolment and the link."""
    ended = await refused(Answer(410, codec.encode(ApiProblem("ended", "x")), 5.0))
    assert (ended.ended, ended.final, ended.retry_after) == (True, False, 5.0)
    spent = await refused(Answer(403, codec.encode(ApiProblem("bad_token", "x"))))
    assert (spent.ended, spent.final) == (False, True)
    assert "Ask for a new one" in str(spent)
    busy = await refused(Answer(503, codec.encode(ApiProblem("unavailable", "x"))))
    assert (busy.ended, busy.final) == (False, False)


@in_loop
async def test_a_word_that_we_dont_know_is_shown_harmless() -> None:
    """In its own sentence, short and without terminal codes."""
    error = await refused(Answer(418, codec.encode(ApiProblem("teapot", "Short\x1b[2J and \n stout" + "!" * 999))))
    assert str(error).startswith("The gateway says no: Short[2J and  stout!")
    assert len(str(error)) < 300


@in_loop
async def test_a_challenge_that_would_tell_the_key_is_refused() -> None:
    """A point of low order agrees the same secret with everybody."""
    assert "challenge" in str(await refused(Answer(200, b"{}"), Challenge(b"c", bytes(32), 1.0)))
    assert "challenge" in str(await refused(Answer(200, b"{}"), Challenge(b"c", b"short", 1.0)))


@given(st.binary(max_size=200), st.sampled_from([200, 301, 404, 500]))
def test_any_answer_is_understood_or_refused(body: bytes, status: int) -> None:
    """A stranger's bytes never come to another error."""

    @in_loop
    async def ask() -> None:
        assert isinstance(await refused(Answer(status, body)), ApiError)

    ask()
