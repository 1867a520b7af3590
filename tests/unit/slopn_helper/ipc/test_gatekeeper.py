from __future__ import annotations

import threading
from pathlib import Path

from slopn_helper.ipc.certificates import ClientCertificate
from slopn_helper.ipc.gatekeeper import SERVES, GateCommand
from slopn_helper.ipc.verdicts import Problem
from slopn_helper.principal import Principal
from slopn_wire.commands import (
    AddUser,
    ConfirmPairing,
    GetPairings,
    GetUsers,
    Pair,
    RemoveUser,
    RenameDevice,
    Renew,
    RevokeDevice,
)
from slopn_wire.devices import UserBasis
from slopn_wire.events import Done, ErrorKind, Paired, Refused, Users
from support.aio import in_loop
from support.certificates import new_key, request_for
from support.gate import NUMBER, Gate, peer

NOW = 1_800_000_000.0
REQUEST = request_for(new_key())


@in_loop
async def test_a_stranger_may_do_nothing(tmp_path: Path) -> None:
    """Whatever is asked, and with a certificate of a time when it was allowed too."""
    async with Gate(tmp_path, NOW).running() as gate:
        admission = gate.keeper.admit(peer(1002), None)
        assert admission.problem is Problem.NOT_ALLOWED
        assert not admission.who.rights
        for command in COMMANDS:
            assert await gate.keeper.submit(admission.who, command) == Problem.NOT_ALLOWED.refused()
        _, device = await gate.paired(1000)
        found = gate.book.registry.find(device)
        assert found is not None
        del gate.users.bases[1000]
        shown = ClientCertificate(found.serial, device, NOW, NOW + 1e6)
        assert gate.keeper.admit(peer(1000), shown).problem is Problem.NOT_ALLOWED


COMMANDS: list[GateCommand] = [
    Pair("x", REQUEST),
    ConfirmPairing("p1", NUMBER),
    Renew(REQUEST),
    GetPairings(),
    RenameDevice("d", "x"),
    RevokeDevice("d"),
    GetUsers(),
    AddUser("bert"),
    RemoveUser("bert"),
]


def test_these_commands_are_served() -> None:
    """No more and no fewer than the table of the tests has."""
    assert {type(command) for command in COMMANDS} == SERVES


@in_loop
async def test_who_shows_no_certificate_has_no_rights_and_no_problem(tmp_path: Path) -> None:
    """It may ask to be paired; all that the system says of it is known."""
    gate = Gate(tmp_path, NOW)
    who, problem = gate.keeper.admit(peer(1000, exe="/x/slopn"), None)
    assert problem is None
    assert who == Principal(1000, 1000, 42, "/x/slopn", frozenset(), "anna", UserBasis.GROUP, "c2", None)


@in_loop
async def test_live_connections_are_judged_again_when_a_pairing_ends(tmp_path: Path) -> None:
    """The listener hears of it before anything is written, and the device's connections have a problem then."""
    async with Gate(tmp_path, NOW).running() as gate:
        _, device = await gate.paired(1000)
        _, other = await gate.paired(1000)
        live = [gate.connected(each) for each in (device, other)]
        verdicts: list[list[Problem | None]] = []
        gate.keeper.on_change(lambda: verdicts.append([gate.keeper.again(peer(1000), who).problem for who in live]))
        await gate.keeper.submit(gate.who(1000), RenameDevice(other, "another"))
        assert not verdicts
        await gate.keeper.submit(gate.who(1000), RevokeDevice(device))
        assert verdicts == [[Problem.REVOKED, None]]
        assert not gate.keeper.again(peer(1000), live[0]).who.rights
        assert gate.keeper.again(peer(1000), live[1]).who == live[1]


@in_loop
async def test_live_connections_are_judged_again_when_users_change(tmp_path: Path) -> None:
    """Also where that happens in another thread: the listeners are called in the loop, before the answer."""
    async with Gate(tmp_path, NOW).running() as gate:
        _, device = await gate.paired(1001)
        live = gate.connected(device)
        unpaired = gate.who(1001)
        verdicts: list[Problem | None] = []
        threads = set()

        def judge() -> None:
            threads.add(threading.get_ident())
            verdicts.extend(gate.keeper.again(peer(1001), who).problem for who in (live, unpaired))

        gate.keeper.on_change(judge)
        assert await gate.keeper.submit(gate.who(0), RemoveUser("bert")) == Done()
        assert verdicts == [Problem.NOT_ALLOWED] * 2
        verdicts.clear()
        assert await gate.keeper.submit(gate.who(0), AddUser("bert")) == Done()
        assert verdicts == [None, None]
        assert gate.keeper.again(peer(1001), live).who.basis is UserBasis.ADDED
        assert threads == {threading.get_ident()}


@in_loop
async def test_users_are_roots_to_add_and_remove(tmp_path: Path) -> None:
    """Everybody who may use SloPN may see who else may; mistakes come back as sentences."""
    async with Gate(tmp_path, NOW).running() as gate:
        for command in (AddUser("stranger"), RemoveUser("bert")):
            refused = await gate.keeper.submit(gate.who(1000), command)
            assert isinstance(refused, Refused)
            assert refused.kind is ErrorKind.NOT_PERMITTED
        users = await gate.keeper.submit(gate.who(1000), GetUsers())
        assert isinstance(users, Users)
        assert {each.name for each in users.users} == {"root", "anna", "bert"}
        absent = await gate.keeper.submit(gate.who(0), AddUser("nobody"))
        assert absent == Refused(ErrorKind.INVALID, "There is no user nobody.")
        gate.users.broken = True
        failed = await gate.keeper.submit(gate.who(0), AddUser("stranger"))
        assert isinstance(failed, Refused)
        assert failed.kind is ErrorKind.FAILED


@in_loop
async def test_use_is_told_once_a_day(tmp_path: Path) -> None:
    """Not at each of hundreds of connections."""
    async with Gate(tmp_path, NOW).running() as gate:
        _, device = await gate.paired(1000)
        before = len(gate.told.devices)
        for _ in range(5):
            gate.connected(device)
        assert len(gate.told.devices) == before + 1
        assert gate.told.devices[-1][0].last_seen == NOW // 86400 * 86400


@in_loop
async def test_what_clients_do_not_see_is_not_told(tmp_path: Path) -> None:
    """A renewal changes the end, and is told; that the new certificate is used changes nothing for them."""
    async with Gate(tmp_path, NOW).running() as gate:
        _, device = await gate.paired(1000)
        live = gate.connected(device)
        gate.now += 3600
        assert isinstance(await gate.keeper.submit(live, Renew(REQUEST)), Paired)
        before = list(gate.told.devices)
        assert before[-1][0].expires > before[-2][0].expires
        entry = gate.book.registry.find(device)
        assert entry is not None
        assert entry.renewed_serial is not None
        assert gate.who(1000, ClientCertificate(entry.renewed_serial, device, NOW, NOW + 1e6)).device == device
        assert gate.book.registry.find(device) != entry
        assert gate.told.devices == before


@in_loop
async def test_the_next_run_begins_with_the_devices_of_the_last(tmp_path: Path) -> None:
    """The hub is told at once, before the first client."""
    async with Gate(tmp_path, NOW).running() as gate:
        await gate.paired(1000)
        last = gate.told.devices[-1]
    assert Gate(tmp_path, NOW).told.devices == [last]
