from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest

from slopn_helper.ipc.certificates import LIFETIME, ClientCertificate
from slopn_helper.ipc.pki import DIRECTORY, FILE
from slopn_helper.ipc.verdicts import Problem
from slopn_wire.commands import Renew, RevokeDevice
from slopn_wire.devices import Right
from slopn_wire.events import Done, Paired
from support.aio import in_loop
from support.certificates import Shown, new_key, request_for
from support.gate import Gate, peer

NOW = time.time()


def certificate(gate: Gate, shown: Shown) -> ClientCertificate:
    """What TLS lets through."""
    seen = gate.shake(shown)
    assert isinstance(seen, ClientCertificate), seen
    return seen


def problem(gate: Gate, shown: Shown, uid: int = 1000, user: str | None = None) -> Problem | None:
    """What becomes of a user who shows this in a real handshake. Rights come without a problem alone."""
    admission = gate.keeper.admit(peer(uid, user=user), certificate(gate, shown))
    assert bool(admission.who.rights) == (admission.problem is None)
    assert (admission.who.device is None) == (admission.problem is not None)
    return admission.problem


@in_loop
async def test_a_paired_front_end_has_its_rights(tmp_path: Path) -> None:
    """From the request over the registry to a handshake and back."""
    async with Gate(tmp_path, NOW).running() as gate:
        shown, device = await gate.paired(1000)
        admission = gate.keeper.admit(peer(1000), certificate(gate, shown))
        assert admission.problem is None
        assert (admission.who.device, admission.who.rights) == (device, frozenset(Right))


@pytest.mark.parametrize(("uid", "user"), [(1001, None), (0, None), (1000, "carl")], ids=["Bert", "root", "uid reused"])
@in_loop
async def test_a_stolen_certificate_is_worth_nothing_under_another_user(
    tmp_path: Path, uid: int, user: str | None
) -> None:
    """Key and certificate are right, TLS is content; but it was issued to Anna."""
    async with Gate(tmp_path, NOW).running() as gate:
        shown, _ = await gate.paired(1000)
        assert problem(gate, shown, uid, user) is Problem.OTHER_USER


@in_loop
async def test_a_revoked_certificate_counts_no_more(tmp_path: Path) -> None:
    """At once, and after a restart too."""
    async with Gate(tmp_path, NOW).running() as gate:
        shown, device = await gate.paired(1000)
        assert await gate.keeper.submit(gate.who(0), RevokeDevice(device)) == Done()
        assert problem(gate, shown) is Problem.REVOKED
    assert problem(Gate(tmp_path, NOW), shown) is Problem.REVOKED


@in_loop
async def test_an_expired_certificate_counts_no_more(tmp_path: Path) -> None:
    """By the helper's clock; set right again, it counts."""
    async with Gate(tmp_path, NOW).running() as gate:
        shown, _ = await gate.paired(1000)
        gate.now = NOW + LIFETIME + 1
        assert problem(gate, shown) is Problem.EXPIRED
        gate.now = NOW + LIFETIME - 1
        assert problem(gate, shown) is None


@pytest.mark.parametrize("now", [0.0, NOW - 10 * LIFETIME], ids=["1970", "long ago"])
@in_loop
async def test_a_clock_in_the_past_changes_nothing(tmp_path: Path, now: float) -> None:
    """A battery that died overnight locks nobody out, neither who is paired nor who pairs then."""
    async with Gate(tmp_path, NOW).running() as gate:
        shown, _ = await gate.paired(1000)
        gate.now = now
        assert problem(gate, shown) is None
        later, _ = await gate.paired(1000)
        assert problem(gate, later) is None
        gate.now = NOW
        assert problem(gate, later) is None


async def renewed(gate: Gate, shown: Shown) -> Shown:
    """Another certificate for the front end that shows this one."""
    key = new_key()
    who = gate.who(1000, certificate(gate, shown))
    result = await gate.keeper.submit(who, Renew(request_for(key)))
    assert isinstance(result, Paired), result
    assert result.device == who.device
    return Shown(key, result.certificate)


@in_loop
async def test_a_renewal_survives_a_restart_at_every_point(tmp_path: Path) -> None:
    """Before the new certificate is used both hold, in this run and the next; afterwards the new one alone."""
    async with Gate(tmp_path, NOW).running() as gate:
        old, device = await gate.paired(1000)
        new = await renewed(gate, old)
    async with Gate(tmp_path, NOW).running() as gate:
        assert problem(gate, old) is None
        assert problem(gate, new) is None
        assert problem(gate, old) is Problem.REPLACED
        await gate.book.settle()
    async with Gate(tmp_path, NOW).running() as gate:
        assert problem(gate, old) is Problem.REPLACED
        assert problem(gate, new) is None
        assert [each.id for each in gate.book.registry.devices] == [device]


@in_loop
async def test_a_renewal_whose_answer_was_lost_is_asked_for_again(tmp_path: Path) -> None:
    """Over any number of restarts: the old certificate holds until one of the new ones is used."""
    lost = []
    async with Gate(tmp_path, NOW).running() as gate:
        old, _ = await gate.paired(1000)
    for _ in range(3):
        async with Gate(tmp_path, NOW).running() as gate:
            lost.append(await renewed(gate, old))
    async with Gate(tmp_path, NOW).running() as gate:
        assert [problem(gate, each) for each in lost] == [Problem.REPLACED, Problem.REPLACED, None]


@in_loop
async def test_a_renewed_certificate_lasts_longer(tmp_path: Path) -> None:
    """A year from the renewal on."""
    async with Gate(tmp_path, NOW).running() as gate:
        old, _ = await gate.paired(1000)
        gate.now = NOW + LIFETIME * 2 / 3
        new = await renewed(gate, old)
        gate.now = NOW + LIFETIME + 1
        assert problem(gate, old) is Problem.EXPIRED
        assert problem(gate, new) is None


@in_loop
async def test_after_a_lost_authority_all_pair_again(tmp_path: Path) -> None:
    """The old certificates fail in TLS, the registry is empty, and both say what was lost."""
    async with Gate(tmp_path, NOW).running() as gate:
        shown, _ = await gate.paired(1000)
    (tmp_path / DIRECTORY / FILE).write_bytes(b"rubbish")
    async with Gate(tmp_path, NOW).running() as gate:
        assert gate.authority.lost
        assert gate.book.lost
        assert isinstance(gate.shake(shown), ssl.SSLError)
        again, _ = await gate.paired(1000)
        assert problem(gate, again) is None
    after = Gate(tmp_path, NOW)
    assert not after.authority.lost
    assert not after.book.lost
    assert problem(after, again) is None


@in_loop
async def test_after_a_lost_registry_certificates_are_unknown(tmp_path: Path) -> None:
    """Signed by us, but nobody knows for whom: they must be paired again."""
    async with Gate(tmp_path, NOW).running() as gate:
        shown, _ = await gate.paired(1000)
    (tmp_path / DIRECTORY / "devices.json").unlink()
    assert problem(Gate(tmp_path, NOW), shown) is Problem.UNKNOWN
