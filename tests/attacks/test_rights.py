"""What a front end may do is what its certificate says, and no more than its user may; others' front ends are others'."""

from __future__ import annotations

from attacks.answers import kind
from attacks.field import Field
from attacks.samples import needing, needing_a_certificate, portions
from slopn_wire.commands import (
    AddUser,
    ConfirmPairing,
    Connect,
    GetPairings,
    GetSnapshot,
    Pair,
    RemoveUser,
    RenameDevice,
    Renew,
    RevokeDevice,
)
from slopn_wire.devices import Right
from slopn_wire.events import ErrorKind, NumberNeeded, Paired, Pairings, Snapshot
from support.certificates import Shown, new_key, request_for


def test_everything_unpaired(field: Field) -> None:
    """A program without a certificate tries every command.

    All are refused but those that pair.
    """
    for portion in portions(needing_a_certificate()):
        mallory = field.user()
        with mallory.secured() as line:
            assert {kind(line.ask(command)) for command in portion} == {ErrorKind.NOT_PAIRED}
        field.refused(mallory, *["not_paired"] * len(portion))


def test_everything_with_view(field: Field) -> None:
    """A front end that may only look tries every command that connects or configures.

    All are refused, by the right that its pairing lacks.
    """
    for portion in portions(needing(Right.CONNECT, Right.CONFIGURE)):
        mallory = field.user()
        with mallory.secured(field.pair(mallory, [Right.VIEW]).shown) as line:
            assert isinstance(line.ask(GetSnapshot()), Snapshot)
            assert {kind(line.ask(command)) for command in portion} == {ErrorKind.NOT_PERMITTED}
        field.refused(mallory, *["right"] * len(portion))


def test_everything_with_connect(field: Field) -> None:
    """A front end that may only connect tries every command that looks or configures.

    All are refused: no right implies another.
    """
    for portion in portions(needing(Right.VIEW, Right.CONFIGURE)):
        mallory = field.user()
        with mallory.secured(field.pair(mallory, [Right.CONNECT]).shown) as line:
            assert {kind(line.ask(command)) for command in portion} == {ErrorKind.NOT_PERMITTED}
            assert kind(line.ask(Connect("gone"))) is ErrorKind.INVALID  # it may, but there is no such profile
        field.refused(mallory, *["right"] * len(portion))


def test_users_without_root(field: Field) -> None:
    """A user with every right lets another user in, or locks one out.

    Who may use SloPN is said by root alone.
    """
    mallory, other, alice = field.user(), field.stranger(), field.user()
    with mallory.secured(field.pair(mallory).shown) as line:
        assert kind(line.ask(AddUser(other.name))) is ErrorKind.NOT_PERMITTED
        assert kind(line.ask(RemoveUser(alice.name))) is ErrorKind.NOT_PERMITTED
    field.refused(mallory, "root_only", "root_only")
    assert kind(getattr(other.turned_away(), "refused", None)) is ErrorKind.NOT_PERMITTED


def test_devices_of_another(field: Field) -> None:
    """A user ends or renames another user's pairing, or root's.

    To this user there is no such front end; only root may touch those of others.
    """
    alice, mallory = field.user(), field.user()
    hers = field.pair(alice)
    roots = field.devices(0)
    with mallory.secured(field.pair(mallory).shown) as line:
        for device in (hers.device, *roots):
            assert kind(line.ask(RevokeDevice(device))) is ErrorKind.INVALID
            assert kind(line.ask(RenameDevice(device, "mine"))) is ErrorKind.INVALID
    assert field.devices(alice.uid) == [hers.device]
    assert field.devices(0) == roots


def test_pairings_of_another(field: Field) -> None:
    """A user with every right reads the number of another user's pairing, or confirms that pairing.

    A user sees the own numbers, and confirms the own pairings; even the right number doesn't help.
    """
    alice, mallory = field.user(), field.user()
    held = field.pair(mallory)
    with alice.secured() as hers, mallory.secured(held.shown) as line:
        needed = hers.ask(Pair("hers", request_for(new_key())))
        assert isinstance(needed, NumberNeeded)
        assert line.ask(GetPairings()) == Pairings(())
        number = field.number(needed.pairing)
        assert kind(line.ask(ConfirmPairing(needed.pairing, number))) is ErrorKind.INVALID
        assert isinstance(hers.ask(ConfirmPairing(needed.pairing, number)), Paired)
    field.refused(mallory, "pairing")


def test_more_rights_by_pairing(field: Field) -> None:
    """A front end with few rights asks to be paired anew with all.

    Its certificate is no help in that: a number has to be repeated, as for anybody.
    """
    mallory = field.user()
    held = field.pair(mallory, [Right.VIEW])
    with mallory.secured(held.shown) as line:
        needed = line.ask(Pair("more", request_for(new_key())))
        assert isinstance(needed, NumberNeeded)
        assert kind(line.ask(ConfirmPairing(needed.pairing, "not it"))) is ErrorKind.INVALID
        assert kind(line.ask(Connect())) is ErrorKind.NOT_PERMITTED
    assert field.devices(mallory.uid) == [held.device]


def test_more_rights_by_renewal(field: Field) -> None:
    """A front end with few rights renews its certificate, with a request that asks for more.

    Rights stand in the registry, and a renewal doesn't touch them.
    """
    mallory, key = field.user(), new_key()
    with mallory.secured(field.pair(mallory, [Right.VIEW]).shown) as line:
        renewed = line.ask(Renew(request_for(key, name="rights=view,connect,configure")))
    assert isinstance(renewed, Paired)
    assert renewed.rights == (Right.VIEW,)
    with mallory.secured(Shown(key, renewed.certificate)) as line:
        assert kind(line.ask(Connect())) is ErrorKind.NOT_PERMITTED


def test_forged_rights(field: Field) -> None:
    """A pairing with rights that there aren't, with none, or with the same one a thousand times.

    It is no request, or refused.
    """
    mallory = field.user()
    with mallory.secured() as line:
        assert kind(line.ask(Pair("none", request_for(new_key()), ()))) is ErrorKind.INVALID
        needed = line.ask(Pair("many", request_for(new_key()), (Right.VIEW,) * 500))
        assert isinstance(needed, NumberNeeded)
        shown = field.ask_root(GetPairings())
        assert isinstance(shown, Pairings)
        (waiting,) = (each.pairing for each in shown.pairings if each.pairing.id == needed.pairing)
        assert waiting.rights == (Right.VIEW,)
        assert kind(line.ask(ConfirmPairing(needed.pairing, "-"))) is ErrorKind.INVALID
