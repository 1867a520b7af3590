from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from slopn_app import link
from slopn_app.applicant import Applicant, NumberWanted
from slopn_app.pairing import Pairing
from slopn_app.trouble import FAILED, LIMITED, NOT_PAIRED, TIMED_OUT, Trouble
from slopn_wire.commands import Pair
from slopn_wire.devices import Right
from slopn_wire.events import ErrorKind, NumberNeeded, Refused
from support.fake_helper import FakeHelper
from support.front_end import TIMEOUT, FrontEnd, shown_number
from support.vault import host_with


@pytest.fixture
def posing(tmp_path: Path) -> Iterator[FakeHelper]:
    """A helper that takes us for a user who must repeat a number."""
    with FakeHelper(tmp_path / "posing", posing=True) as helper:
        yield helper


def test_the_number_is_repeated(posing: FakeHelper) -> None:
    """The user gets it from the helper's own log; it is not in what the program was told."""

    class User(FrontEnd):
        def _ask(self, wanted: NumberWanted) -> str | None:
            self.wanted.append(wanted)
            return shown_number(posing)

    user = User(posing.path, numbers=("",))
    assert user.ask()["type"] == "snapshot"
    (wanted,) = user.wanted
    assert wanted.wrong == ""
    assert 60 < wanted.expires - time.time() <= 120
    assert len(posing.gatekeeper.shown) == 1


def test_a_wrong_number_may_be_corrected(posing: FakeHelper) -> None:
    """What was wrong is told with the next question."""

    class User(FrontEnd):
        def _ask(self, wanted: NumberWanted) -> str | None:
            self.wanted.append(wanted)
            right = shown_number(posing)
            return right if wanted.wrong else f"{(int(right) + 1) % 10**6:06d}"

    user = User(posing.path, numbers=("",))
    assert user.ask()["type"] == "snapshot"
    assert user.wanted[1].wrong == "That isn't the number: 2 tries are left."


def test_after_three_wrong_numbers_it_is_over(posing: FakeHelper, home: Path) -> None:
    """No endless questions; the key that was made is forgotten."""
    front_end = FrontEnd(posing.path, numbers=("no",))
    with pytest.raises(Trouble, match="last try") as raised:
        front_end.ask()
    assert raised.value.kind == NOT_PAIRED
    assert len(front_end.wanted) == 3
    assert list(home.rglob("*.key")) == []


def test_without_anybody_to_ask_it_is_said_what_to_do(posing: FakeHelper) -> None:
    """A script fails with the command that a person must run, and where the number is."""
    for front_end in (FrontEnd(posing.path), FrontEnd(posing.path, numbers=(None,))):
        with pytest.raises(Trouble) as raised:
            front_end.ask()
        assert raised.value.kind == NOT_PAIRED
        text = str(raised.value)
        assert all(word in text for word in ("slopn pair", "sudo slopn devices", "journalctl -u slopn-helper"))


def test_another_problem_with_the_number_ends_it(posing: FakeHelper) -> None:
    """Too many attempts, a full disk: told as they are, not asked for another number."""
    posing.answer(Pair, Refused(ErrorKind.FAILED, "The disk is full."))
    with pytest.raises(Trouble, match="disk is full") as raised:
        FrontEnd(posing.path, numbers=("123456",)).ask()
    assert raised.value.kind == FAILED


def test_a_number_whose_time_is_up_is_not_asked_for_again(posing: FakeHelper) -> None:
    """The user took too long."""
    posing.answer(Pair, NumberNeeded("x", time.time() - 1))
    front_end = FrontEnd(posing.path, numbers=("123456",))
    with pytest.raises(Trouble, match="time is up"):
        front_end.ask()
    assert len(front_end.wanted) == 1


def test_somebody_elses_pairing_is_waited_for_with_an_end(posing: FakeHelper) -> None:
    """While a person is looking for the number, others don't hang for ever."""
    asked, enough = threading.Event(), threading.Event()

    class Slow(FrontEnd):
        def _ask(self, _: NumberWanted) -> str | None:
            asked.set()
            enough.wait(TIMEOUT)
            return None

    def pair() -> None:
        with pytest.raises(Trouble):
            Slow(posing.path, numbers=("",)).ask()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(pair)
        assert asked.wait(TIMEOUT)
        with pytest.raises(Trouble, match="being paired right now") as raised:
            FrontEnd(posing.path).pairing.link(0.2)
        enough.set()
        slow.result(TIMEOUT)
    assert raised.value.kind == TIMED_OUT


def test_name_and_rights_are_as_wished(helper: FakeHelper) -> None:
    """Fewer rights than the user has, under a name of the user's own."""
    pairing = Pairing(
        "window", host_with(None), helper.path, ask=None, say=lambda _: None, name="wall", rights=("view",)
    )
    conversation = pairing.link(TIMEOUT)
    refused = conversation.ask({"type": "disconnect"}, TIMEOUT)
    conversation.close()
    assert (refused["type"], refused["kind"]) == ("refused", "not_permitted")
    assert [(device.name, device.rights) for device in helper.hub.devices if device.name == "wall"] == [
        ("wall", (Right.VIEW,))
    ]


def test_a_busy_helper_is_asked_again(helper: FakeHelper, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has too much to do at first; whoever stays too busy is told as that."""
    monkeypatch.setattr("slopn_app.applicant._LIMITED_PAUSE", 0.01)
    greet = link.greet
    left = [3]

    def busy(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise Trouble(LIMITED, "Too much.")
        return greet(*arguments)

    monkeypatch.setattr(link, "greet", busy)
    stream, _ = Applicant(host_with(None), helper.path, "x", None, None).greet(TIMEOUT)
    stream.close()
    left[0] = 1000
    with pytest.raises(Trouble, match="Too much"):
        Applicant(host_with(None), helper.path, "x", None, None).greet(0.1)
