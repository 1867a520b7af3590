"""The registry of paired front ends, pure: which certificate stands for which device, and whose it is.

A device has one certificate. While it is renewed it has two: the old one holds until the new one is first used, so
that nothing is lost if the new one never arrives.
"""

from __future__ import annotations

import unicodedata

import msgspec
from msgspec import Struct

from slopn_helper.ipc.certificates import ClientCertificate, Issued
from slopn_helper.ipc.verdicts import Problem
from slopn_wire.devices import Device, Right

MAX_PER_USER = 32
"""Devices of one user. One more, and the one that was unused for longest goes."""
MAX_DEVICES = 256
"""Devices of all users: they all stand in every snapshot."""
MAX_NAME = 64
"""Longest name of a device, in characters."""

_MAX_REVOKED = 128
_DAY = 24 * 60 * 60.0
_GONE_AFTER = 30 * _DAY  # a front end that lets its certificate expire for this long won't come back


class Entry(Struct, frozen=True):
    """A device as it is stored. Times are Unix time."""

    id: str
    name: str
    uid: int
    user: str
    """A uid may be given to somebody else one day: both must be the same."""
    program: str
    """Path of the executable that was paired; empty if the system didn't say."""
    rights: tuple[Right, ...]
    created: float
    serial: str
    expires: float
    renewed_serial: str | None = None
    """Of the certificate that holds too, and alone once it is used."""
    renewed_expires: float = 0.0
    last_seen: float | None = None
    """Midnight UTC of that day."""

    @property
    def ends(self) -> float:
        """When its last certificate expires."""
        return self.expires if self.renewed_serial is None else self.renewed_expires

    def wire(self) -> Device:
        """As clients see it."""
        return Device(
            id=self.id,
            name=self.name,
            user=self.user,
            uid=self.uid,
            rights=self.rights,
            created=self.created,
            expires=self.ends,
            last_seen=self.last_seen,
        )


class Revoked(Struct, frozen=True):
    """What is remembered of a pairing that was ended: it was no accident that it isn't known."""

    id: str
    uid: int
    user: str
    program: str


class Registry(Struct, frozen=True):
    """All devices of one authority. Each change is another registry; methods name devices that exist, by their `id`."""

    authority: str
    """Fingerprint of the authority that signed their certificates."""
    devices: tuple[Entry, ...] = ()
    """Oldest first."""
    revoked: tuple[Revoked, ...] = ()
    """The latest ones, oldest first."""

    def find(self, device: str) -> Entry | None:
        """The device of that `id`, or None."""
        return next((each for each in self.devices if each.id == device), None)

    def judge(self, certificate: ClientCertificate, uid: int, user: str, now: float) -> Entry | Problem:
        """Whose certificate it is, for a user who shows it; or why it doesn't count.

        One that begins in the future counts: our own authority signed it, so it is the clock that went back.
        """
        entry = self._of(certificate.device, uid, user)
        if isinstance(entry, Problem):
            return entry
        if certificate.serial not in {entry.serial, entry.renewed_serial}:
            return Problem.REPLACED
        return Problem.EXPIRED if now > certificate.not_after else entry

    def judge_again(self, device: str, uid: int, user: str, now: float) -> Entry | Problem:
        """The same for a connection that was judged before: it may go on when its certificate was renewed meanwhile."""
        entry = self._of(device, uid, user)
        if isinstance(entry, Problem):
            return entry
        return Problem.EXPIRED if now > entry.ends else entry

    def seen(self, device: str, serial: str, now: float) -> Registry:
        """A device was used, by this certificate: an older one ends by that."""
        entry = self.find(device)
        if entry is None:
            return self
        fresh = msgspec.structs.replace(entry, last_seen=now // _DAY * _DAY)
        if serial == entry.renewed_serial:
            fresh = msgspec.structs.replace(
                fresh, serial=serial, expires=entry.renewed_expires, renewed_serial=None, renewed_expires=0.0
            )
        return self if fresh == entry else self._with(fresh)

    def add(self, entry: Entry, now: float) -> Registry:
        """One more device. Where there is no room, one goes that is long expired, else the one unused for longest.

        None goes for its age alone: by a clock that is set wrong, for a moment or by an attacker, all have expired.
        """
        kept = list(self.devices)
        _make_room(kept, [each for each in kept if each.uid == entry.uid], MAX_PER_USER, now)
        _make_room(kept, kept, MAX_DEVICES, now)
        # Who was asked for a number and repeated it has paired that program on purpose.
        revoked = tuple(each for each in self.revoked if not _same_program(each, entry.uid, entry.user, entry.program))
        return msgspec.structs.replace(self, devices=(*kept, entry), revoked=revoked)

    def renew(self, device: str, issued: Issued) -> Registry:
        """Another certificate for a device, instead of one that was issued before but never used."""
        entry = self.find(device)
        if entry is None:
            return self
        return self._with(
            msgspec.structs.replace(entry, renewed_serial=issued.serial, renewed_expires=issued.not_after)
        )

    def rename(self, device: str, name: str) -> Registry:
        """Call a device something else."""
        entry = self.find(device)
        return self if entry is None else self._with(msgspec.structs.replace(entry, name=name))

    def revoke(self, device: str) -> Registry:
        """End a pairing."""
        entry = self.find(device)
        if entry is None:
            return self
        ended = Revoked(entry.id, entry.uid, entry.user, entry.program)
        return msgspec.structs.replace(
            self,
            devices=tuple(each for each in self.devices if each.id != device),
            revoked=(*self.revoked, ended)[-_MAX_REVOKED:],
        )

    def was_revoked(self, uid: int, user: str, program: str) -> bool:
        """Whether a pairing of that user's program was ended, and none was made since."""
        return any(_same_program(each, uid, user, program) for each in self.revoked)

    def _of(self, device: str, uid: int, user: str) -> Entry | Problem:
        entry = self.find(device)
        if entry is None:
            return Problem.REVOKED if any(each.id == device for each in self.revoked) else Problem.UNKNOWN
        return entry if (entry.uid, entry.user) == (uid, user) else Problem.OTHER_USER

    def _with(self, entry: Entry) -> Registry:
        return msgspec.structs.replace(
            self, devices=tuple(entry if each.id == entry.id else each for each in self.devices)
        )


def name_problem(name: str) -> str | None:
    """What is wrong with a device's name, in a sentence; None: nothing."""
    if not 1 <= len(name) <= MAX_NAME:
        return f"A front end's name has 1 to {MAX_NAME} characters, not {len(name)}."
    if not name.isprintable() or name != name.strip():
        return "A front end's name has printable characters alone, and no space at its ends."
    if unicodedata.normalize("NFC", name) != name:
        return "A front end's name has letters as whole characters (Unicode's form NFC)."
    return None


def _make_room(kept: list[Entry], among: list[Entry], limit: int, now: float) -> None:
    def use(one: Entry) -> tuple[bool, float]:
        return now - one.ends <= _GONE_AFTER, one.created if one.last_seen is None else one.last_seen

    surplus = len(among) + 1 - limit
    for each in sorted(among, key=use)[: max(surplus, 0)]:
        kept.remove(each)


def _same_program(one: Revoked, uid: int, user: str, program: str) -> bool:
    return (one.uid, one.user, one.program) == (uid, user, program)
