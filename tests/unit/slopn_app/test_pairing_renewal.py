from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app.credentials.keys import make_key, validity
from slopn_app.credentials.store import FILE, Held
from slopn_app.credentials.vault import Unavailable
from slopn_wire.commands import Renew
from slopn_wire.events import Done, ErrorKind, Refused
from support.fake_helper import FakeHelper
from support.front_end import TIMEOUT, FrontEnd, authority_of, devices
from support.vault import FakeVault

DAY = 24 * 3600.0


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[FakeHelper]:
    """Nobody is paired with it yet."""
    with FakeHelper(tmp_path / "fresh") as running:
        yield running


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How far the front ends' clock is ahead when they look whether to renew: 300 days of 365."""
    offset = {"seconds": 300 * DAY}
    due = Held.due
    monkeypatch.setattr(Held, "due", lambda self, now: due(self, now + offset["seconds"]))
    return offset


def aged(helper: FakeHelper, vault: FakeVault | None = None) -> FrontEnd:
    """A front end that is connected."""
    front_end = FrontEnd(helper.path, vault=vault)
    assert front_end.ask()["type"] == "snapshot"
    front_end.pairing.accepted()
    return front_end


def held(front_end: FrontEnd, helper: FakeHelper) -> list[Held]:
    """What is on disk."""
    return front_end.store.read(authority_of(helper))


def renew(front_end: FrontEnd) -> bool:
    """Over a connection with the certificate that is due."""
    conversation = front_end.pairing.link(TIMEOUT)
    try:
        return front_end.pairing.renew(conversation, TIMEOUT)
    finally:
        conversation.close()


@pytest.mark.parametrize("vault", [None, FakeVault()])
def test_a_certificate_is_renewed_without_a_break(
    helper: FakeHelper, clock: dict[str, float], vault: FakeVault | None, home: Path
) -> None:
    """The old one stays until the new one has been used; then it is gone, key and all; the device is the same."""
    front_end = aged(helper, vault)
    (old,) = held(front_end, helper)
    assert front_end.pairing.due()
    assert renew(front_end)
    new, kept = held(front_end, helper)
    assert kept.key == old.key
    assert new.device == old.device
    after = FrontEnd(helper.path, vault=vault)
    assert after.ask()["type"] == "snapshot"
    after.pairing.accepted()
    assert [each.key for each in held(after, helper)] == [new.key]
    clock["seconds"] = 0.0
    assert not after.pairing.due()
    assert len(list(home.rglob("*.key")) if vault is None else vault.secrets) == 1
    assert devices(helper) == ["command line"]


def test_who_still_holds_the_old_one_finds_the_new_one(helper: FakeHelper) -> None:
    """Another program has renewed and used it meanwhile."""
    slow = aged(helper)
    assert renew(FrontEnd(helper.path))
    FrontEnd(helper.path).ask()
    refused = slow.ask()
    assert (refused["type"], refused["kind"]) == ("refused", "not_paired")
    slow.pairing.refused(refused["message"], TIMEOUT)
    assert slow.ask()["type"] == "snapshot"
    assert devices(helper) == ["command line"]


def test_a_new_one_that_the_helper_has_forgotten_gives_way_to_the_old_one(helper: FakeHelper) -> None:
    """Its state was restored from a backup, say."""
    front_end = aged(helper)
    (old,) = held(front_end, helper)
    key, request = make_key("x")
    issued = helper.gatekeeper.authority.issue(request, "forgotten", time.time())
    front_end.store.put_key(authority_of(helper), "0123", "x", key, FILE)
    lost = Held("forgotten", issued.certificate, "0123", FILE, *validity(issued.certificate))
    front_end.store.write(authority_of(helper), helper.path, [lost, old])
    after = FrontEnd(helper.path)
    refused = after.ask()
    assert refused["kind"] == "not_paired"
    after.pairing.refused(refused["message"], TIMEOUT)
    assert after.ask()["type"] == "snapshot"
    assert [each.key for each in held(after, helper)] == [old.key]
    assert devices(helper) == ["command line"]


def test_a_clock_that_went_back_renews_nothing(helper: FakeHelper, clock: dict[str, float]) -> None:
    """It goes forth again, and then what was issued meanwhile would be too old."""
    front_end = aged(helper)
    assert front_end.pairing.due()
    clock["seconds"] = -20_000 * DAY
    assert not front_end.pairing.due()


def test_a_fresh_certificate_is_not_due(helper: FakeHelper) -> None:
    """Two thirds of its time must have passed."""
    front_end = FrontEnd(helper.path)
    assert not front_end.pairing.due()
    front_end.ask()
    assert not front_end.pairing.due()


@pytest.mark.parametrize("answer", [Refused(ErrorKind.FAILED, "full"), Done()])
def test_a_renewal_that_fails_changes_nothing(helper: FakeHelper, answer: Refused | Done, home: Path) -> None:
    """There are months left to try again; no key is left behind."""
    front_end = aged(helper)
    before = [each.key for each in held(front_end, helper)]
    helper.answer(Renew, answer)
    assert not renew(front_end)
    assert [each.key for each in held(front_end, helper)] == before
    assert len(list(home.rglob("*.key"))) == 1
    assert front_end.ask()["type"] == "snapshot"


def test_a_keyring_out_of_reach_puts_it_off(helper: FakeHelper, home: Path) -> None:
    """The key that belongs into the keyring isn't put into a file on the quiet."""
    vault = FakeVault()
    front_end = aged(helper, vault)
    conversation = front_end.pairing.link(TIMEOUT)
    vault.failure = Unavailable("gone")
    assert not front_end.pairing.renew(conversation, TIMEOUT)
    conversation.close()
    assert list(home.rglob("*.key")) == []


def test_only_one_program_renews(helper: FakeHelper) -> None:
    """Whoever comes second leaves it to the first."""
    front_end = aged(helper)
    with front_end.store.lock(TIMEOUT):
        assert not renew(FrontEnd(helper.path))
    assert renew(FrontEnd(helper.path))
    assert not renew(front_end)


@pytest.mark.usefixtures("clock")
def test_renewing_apart_asks_over_its_own_connection(helper: FakeHelper) -> None:
    """For programs whose connection is busy; nothing happens where nothing is due or nobody answers."""
    front_end = aged(helper)
    front_end.pairing.renew_apart(TIMEOUT)
    assert len(held(front_end, helper)) == 2
    front_end.pairing.renew_apart(TIMEOUT)
    assert len(held(front_end, helper)) == 2
    other = FrontEnd(helper.path, name="tray")
    other.ask()
    helper.stop()
    other.pairing.renew_apart(TIMEOUT)
