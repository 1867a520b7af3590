from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from slopn_helper.ipc import devices
from slopn_helper.ipc.certificates import ClientCertificate
from slopn_helper.ipc.pairing import VALID
from slopn_helper.ipc.registrar import sentence
from slopn_helper.ipc.verdicts import Problem
from slopn_helper.principal import Principal
from slopn_helper.secrets import SecretError
from slopn_wire.commands import (
    ConfirmPairing,
    GetPairings,
    Pair,
    RenameDevice,
    Renew,
    RevokeDevice,
)
from slopn_wire.devices import Right
from slopn_wire.events import Done, ErrorKind, NumberNeeded, Paired, Pairings, Refused
from support.aio import in_loop
from support.certificates import new_key, request_for
from support.gate import NUMBER, Gate, peer
from support.until import until_async

NOW = 1_800_000_000.0
OURS = "/x/slopn"
REQUEST = request_for(new_key())


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OURS` is a front end as installed; what that takes is tested with `is_ours`."""
    monkeypatch.setattr("slopn_helper.ipc.registrar.is_ours", lambda exe, prefix, _: prefix is not None and exe == OURS)


async def number_needed(gate: Gate, who: Principal, name: str = "script") -> NumberNeeded:
    """Ask to be paired, and be asked for a number."""
    result = await gate.keeper.submit(who, Pair(name, REQUEST))
    assert isinstance(result, NumberNeeded), result
    return result


@in_loop
async def test_a_script_must_repeat_the_number(tmp_path: Path) -> None:
    """The number is shown to who watches over the helper, never to who asks; repeated, it pairs."""
    async with Gate(tmp_path, NOW).running() as gate:
        who = gate.who(1000)
        needed = await number_needed(gate, who)
        assert needed.expires == NOW + VALID
        assert NUMBER not in repr(needed)
        (shown,) = gate.shown
        assert NUMBER in shown
        assert "anna (uid 1000)" in shown
        assert "/x/script" in shown
        paired = await gate.keeper.submit(who, ConfirmPairing(needed.pairing, NUMBER))
        assert isinstance(paired, Paired)
        assert [device.id for device in gate.told.devices[-1]] == [paired.device]
        assert gate.told.pairings[-1] == ()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("uid", "exe", "prefix", "silent"),
    [
        (0, "/x/script", None, True),
        (0, None, Path("/x"), True),
        (1000, OURS, Path("/x"), True),
        (1000, OURS, None, False),
        (1000, "/x/script", Path("/x"), False),
        (1000, None, Path("/x"), False),
    ],
)
@in_loop
async def test_who_is_paired_in_silence(
    tmp_path: Path, uid: int, exe: str | None, prefix: Path | None, silent: bool
) -> None:
    """Root, and our own front ends as installed; everything else repeats a number."""
    async with Gate(tmp_path, NOW, prefix).running() as gate:
        result = await gate.keeper.submit(gate.who(uid, exe=exe), Pair("x", REQUEST))
        assert isinstance(result, Paired if silent else NumberNeeded)
        assert bool(gate.shown) != silent


@pytest.mark.usefixtures("installed")
@in_loop
async def test_a_revoked_front_end_does_not_slip_in_again(tmp_path: Path) -> None:
    """Who ended its pairing meant it: it needs a number, once; afterwards all is as before."""
    async with Gate(tmp_path, NOW, Path("/x")).running() as gate:
        who = gate.who(1000, exe=OURS)
        paired = await gate.keeper.submit(who, Pair("x", REQUEST))
        assert isinstance(paired, Paired)
        assert await gate.keeper.submit(gate.who(0), RevokeDevice(paired.device)) == Done()
        needed = await number_needed(gate, who)
        assert isinstance(await gate.keeper.submit(who, ConfirmPairing(needed.pairing, NUMBER)), Paired)
        assert isinstance(await gate.keeper.submit(who, Pair("x", REQUEST)), Paired)


@pytest.mark.parametrize(
    "command",
    [
        Pair("", REQUEST),
        Pair("a\x1b[2J", REQUEST),
        Pair("x", REQUEST, ()),
        Pair("x", "rubbish"),
        Pair("x", request_for(rsa.generate_private_key(65537, 2048))),
        Pair("x", "x" * 100_000),
    ],
    ids=["no name", "escape", "no rights", "rubbish", "RSA", "huge"],
)
@in_loop
async def test_a_bad_request_is_refused_before_anybody_is_asked(tmp_path: Path, command: Pair) -> None:
    """In a sentence, for root too; no number is shown and nothing waits."""
    async with Gate(tmp_path, NOW).running() as gate:
        for uid in (0, 1000):
            refused = await gate.keeper.submit(gate.who(uid), command)
            assert isinstance(refused, Refused)
            assert refused.kind is ErrorKind.INVALID
        assert not gate.shown
        assert not gate.told.pairings
        assert not gate.book.registry.devices


@in_loop
async def test_a_front_end_has_the_rights_it_asked_for(tmp_path: Path) -> None:
    """And no others: each once, in their order."""
    async with Gate(tmp_path, NOW).running() as gate:
        paired = await gate.keeper.submit(gate.who(0), Pair("x", REQUEST, (Right.CONNECT, Right.VIEW, Right.CONNECT)))
        assert isinstance(paired, Paired)
        assert paired.rights == (Right.VIEW, Right.CONNECT)
        (entry,) = gate.book.registry.devices
        shown = ClientCertificate(entry.serial, entry.id, NOW, NOW + 1e6)
        assert gate.who(0, shown).rights == {Right.VIEW, Right.CONNECT}


@in_loop
async def test_users_see_their_own_numbers_and_root_all(tmp_path: Path) -> None:
    """Everybody sees who waits; the number is for its user and root."""
    async with Gate(tmp_path, NOW).running() as gate:
        for uid in (1000, 1001):
            await number_needed(gate, gate.who(uid))
        for uid, wanted in ((0, [1000, 1001]), (1000, [1000]), (1001, [1001])):
            result = await gate.keeper.submit(gate.who(uid), GetPairings())
            assert isinstance(result, Pairings)
            assert [each.pairing.uid for each in result.pairings] == wanted
            assert all(each.number == NUMBER for each in result.pairings)
        assert NUMBER not in repr(gate.told.pairings)


@in_loop
async def test_a_number_that_ran_out_vanishes_by_itself(tmp_path: Path) -> None:
    """Nobody has to ask for that: all who watch are told."""
    gate = Gate(tmp_path, NOW)
    async with gate.running():
        needed = await number_needed(gate, gate.who(1000))
        gate.steady = VALID - 0.05
        gate.keeper._registrar._wake.set()
        await until_async(lambda: waits(gate), 20, "the gatekeeper has looked at the clock")
        gate.steady = VALID
        await until_async(lambda: told_nobody_waits(gate), 20, "the pairing is gone")
        late = await gate.keeper.submit(gate.who(1000), ConfirmPairing(needed.pairing, NUMBER))
        assert isinstance(late, Refused)


async def waits(gate: Gate) -> bool:
    """Whether the gatekeeper waits for time to pass."""
    return not gate.keeper._registrar._wake.is_set()


async def told_nobody_waits(gate: Gate) -> bool:
    """Whether the hub's last word is that nobody waits."""
    return gate.told.pairings[-1] == ()


@in_loop
async def test_devices_are_their_users_to_name_and_end(tmp_path: Path) -> None:
    """Root's are all; another's look as if they weren't there, also to who has the uid of a user that is gone."""
    async with Gate(tmp_path, NOW).running() as gate:
        _, device = await gate.paired(1000)
        absent = await gate.keeper.submit(gate.who(1001), RevokeDevice("absent"))
        assert isinstance(absent, Refused)
        carl = gate.keeper.admit(peer(1000, user="carl"), None).who
        for who in (gate.who(1001), carl):
            assert await gate.keeper.submit(who, RevokeDevice(device)) == absent
            assert await gate.keeper.submit(who, RenameDevice(device, "mine")) == absent
        for uid, name in ((1000, "Anna's"), (0, "the window")):
            assert await gate.keeper.submit(gate.who(uid), RenameDevice(device, name)) == Done()
            assert [each.name for each in gate.told.devices[-1]] == [name]
        refused = await gate.keeper.submit(gate.who(1000), RenameDevice(device, "\n"))
        assert isinstance(refused, Refused)
        assert await gate.keeper.submit(gate.who(1000), RevokeDevice(device)) == Done()
        assert gate.told.devices[-1] == ()


@in_loop
async def test_a_full_disk_pairs_nobody_but_ends_pairings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a restart would forget is refused; but who was revoked is out, and the answer says what is left to do."""

    def full(path: Path, data: bytes) -> None:
        del data
        raise SecretError(f"{path.name} could not be written: No space left on device")

    async with Gate(tmp_path, NOW).running() as gate:
        _, device = await gate.paired(1000)
        live = gate.connected(device)
        monkeypatch.setattr(devices, "write_private", full)
        for command in (Pair("x", REQUEST), RenameDevice(device, "x")):
            refused = await gate.keeper.submit(gate.who(0), command)
            assert isinstance(refused, Refused)
            assert refused.kind is ErrorKind.FAILED
        renewal = await gate.keeper.submit(live, Renew(REQUEST))
        assert isinstance(renewal, Refused)
        assert len(gate.book.registry.devices) == 1
        done = await gate.keeper.submit(gate.who(0), RevokeDevice(device))
        assert isinstance(done, Done)
        assert "tried again" in done.notes[0]
        assert gate.keeper.again(peer(1000), live).problem is Problem.REVOKED


@in_loop
async def test_only_a_paired_front_end_renews(tmp_path: Path) -> None:
    """With a request as good as a pairing's; the device keeps its rights."""
    async with Gate(tmp_path, NOW).running() as gate:
        assert await gate.keeper.submit(gate.who(1000), Renew(REQUEST)) == Problem.UNKNOWN.refused()
        _, device = await gate.paired(1000)
        live = gate.connected(device)
        refused = await gate.keeper.submit(live, Renew("rubbish"))
        assert isinstance(refused, Refused)
        assert refused.kind is ErrorKind.INVALID
        paired = await gate.keeper.submit(live, Renew(REQUEST))
        assert isinstance(paired, Paired)
        assert (paired.device, paired.rights) == (device, tuple(Right))


@in_loop
async def test_what_is_shown_is_one_harmless_line(tmp_path: Path) -> None:
    """A program can't forge lines or move a terminal's cursor by its name or path."""
    async with Gate(tmp_path, NOW).running() as gate:
        await number_needed(gate, gate.who(1000, exe="/tmp/a\n\x1b[1A/b" + "c" * 5000))
        (shown,) = gate.shown
        assert shown.isprintable()
        assert len(shown) < 600
        result = await gate.keeper.submit(gate.who(0), GetPairings())
        assert isinstance(result, Pairings)
        assert sentence(result.pairings[0]) == shown
