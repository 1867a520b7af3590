"""What a client may ask of the helper. Each has a reply; none waits for the tunnel."""

from __future__ import annotations

from msgspec import Struct

from slopn_wire.devices import Right
from slopn_wire.logs import LogFilter
from slopn_wire.profile import PostQuantum
from slopn_wire.settings import Settings


class Connect(Struct, frozen=True, forbid_unknown_fields=True, tag="connect"):
    """Bring up `profile`; None: the one used last, or the only one."""

    profile: str | None = None


class Disconnect(Struct, frozen=True, forbid_unknown_fields=True, tag="disconnect"):
    """Take the tunnel down, and want none."""


class Reconnect(Struct, frozen=True, forbid_unknown_fields=True, tag="reconnect"):
    """Take the tunnel down and bring the same one up again."""


class Pause(Struct, frozen=True, forbid_unknown_fields=True, tag="pause"):
    """Take the tunnel down and bring it up again after `seconds` (1 to `LONGEST_PAUSE`)."""

    seconds: int


LONGEST_PAUSE = 24 * 60 * 60
"""Seconds."""


class Unlock(Struct, frozen=True, forbid_unknown_fields=True, tag="unlock"):
    """Let this computer's traffic out directly: want no tunnel, and block no longer while there is none."""


class ImportProfile(Struct, frozen=True, forbid_unknown_fields=True, tag="import_profile"):
    """Store the wg-quick file `text` as profile `name`. `filename` appears in errors."""

    name: str
    text: str
    filename: str
    replace: bool = False

    def __repr__(self) -> str:
        return f"ImportProfile({self.name!r}, …)"


class CheckProfile(Struct, frozen=True, forbid_unknown_fields=True, tag="check_profile"):
    """Say what `ImportProfile` would make of these, and store nothing. The reply is a `Checked`."""

    name: str
    text: str
    filename: str

    def __repr__(self) -> str:
        return f"CheckProfile({self.name!r}, …)"


class CheckEnrolment(Struct, frozen=True, forbid_unknown_fields=True, tag="check_enrolment"):
    """Say what an enrolment link holds, and ask nobody. The reply is a `LinkHolds`."""

    link: str

    def __repr__(self) -> str:
        return "CheckEnrolment(link=…)"


class Enrol(Struct, frozen=True, forbid_unknown_fields=True, tag="enrol"):
    """Enrol this computer at the gateway of `link`, and store a profile. The reply is an `Enrolled`, within half a minute.

    Asked again after a failure it goes on where it was: the same link gives the same device.
    """

    link: str
    name: str | None = None
    """The profile's; None: made of the gateway's host."""
    replace: bool = False

    def __repr__(self) -> str:
        return f"Enrol(link=…, name={self.name!r}, replace={self.replace})"


class RenewEnrolment(Struct, frozen=True, forbid_unknown_fields=True, tag="renew_enrolment"):
    """Ask the gateways how `profile` is configured now, and prolong it. The reply is an `Enrolled`."""

    profile: str
    rotate: bool = False
    """Change its key as well."""


class RenameProfile(Struct, frozen=True, forbid_unknown_fields=True, tag="rename_profile"):
    """Call a profile something else. Refused while it is in use, and when there is one of the new name."""

    name: str
    to: str


class ExportProfile(Struct, frozen=True, forbid_unknown_fields=True, tag="export_profile"):
    """The reply is an `Exported`: a wg-quick file with the private key."""

    name: str


class ChangeProfile(Struct, frozen=True, forbid_unknown_fields=True, tag="change_profile"):
    """Change what a profile leaves to the user. A tunnel that uses it is made anew."""

    name: str
    post_quantum: PostQuantum | None = None
    """Of an enrolled profile. None: left as it is."""
    mtu: int | None = None
    """What the tunnel's packets have at most; 0: as the path is found to be. None: left as it is."""


class RemoveProfile(Struct, frozen=True, forbid_unknown_fields=True, tag="remove_profile"):
    """Forget a profile and its keys. Refused while it is in use."""

    name: str


class ApplySettings(Struct, frozen=True, forbid_unknown_fields=True, tag="apply_settings"):
    """Replace all settings."""

    settings: Settings
    instead_of: Settings | None = None
    """Those that the client knows: refused if others hold by now, so that nobody undoes another's change unseen."""


class GetSnapshot(Struct, frozen=True, forbid_unknown_fields=True, tag="get_snapshot"):
    """The reply is a `Snapshot`."""


class Watch(Struct, frozen=True, forbid_unknown_fields=True, tag="watch"):
    """The reply is a `Snapshot`, then `Event`s with rising `seq` follow.

    With `after` and the `epoch` of the snapshot that it belongs to: the reply is `Resumed` if every event after `after`
    is still there, and they follow without a gap; else it is a `Snapshot` all the same.
    """

    after: int | None = None
    epoch: str = ""


class GetLogs(Struct, frozen=True, forbid_unknown_fields=True, tag="get_logs"):
    """The reply is a `Logs`: what the helper still holds, oldest first."""

    filter: LogFilter = LogFilter()
    since: float = 0.0
    """Unix time."""


class FollowLogs(Struct, frozen=True, forbid_unknown_fields=True, tag="follow_logs"):
    """The reply is `Done`; then `Logs` come as lines do, from the first one numbered above `after`.

    A second one replaces the first.
    """

    filter: LogFilter = LogFilter()
    since: float = 0.0
    """Unix time."""
    after: int = 0


class Pair(Struct, frozen=True, forbid_unknown_fields=True, tag="pair"):
    """Become a paired front end. Allowed without a certificate.

    The reply is `Paired`, or `NumberNeeded`: the user reads a number where the helper shows it, and repeats it.
    """

    name: str
    """For people: `command line`, `window`."""
    request: str
    """Certificate signing request, PEM, of a key that never leaves the front end."""
    rights: tuple[Right, ...] = tuple(Right)


class ConfirmPairing(Struct, frozen=True, forbid_unknown_fields=True, tag="confirm_pairing"):
    """Repeat the number that the helper shows. The reply is `Paired`. Allowed without a certificate."""

    pairing: str
    number: str


class Renew(Struct, frozen=True, forbid_unknown_fields=True, tag="renew"):
    """Another certificate for this front end and another key; the old one holds until the new one is used."""

    request: str


class GetPairings(Struct, frozen=True, forbid_unknown_fields=True, tag="get_pairings"):
    """The reply is `Pairings`: who waits to be paired, with the numbers to repeat."""


class RenameDevice(Struct, frozen=True, forbid_unknown_fields=True, tag="rename_device"):
    """Call a paired front end something else."""

    device: str
    name: str


class RevokeDevice(Struct, frozen=True, forbid_unknown_fields=True, tag="revoke_device"):
    """End a pairing; its connections end at once."""

    device: str


class GetUsers(Struct, frozen=True, forbid_unknown_fields=True, tag="get_users"):
    """The reply is `Users`: who may use SloPN on this computer, and why."""


class AddUser(Struct, frozen=True, forbid_unknown_fields=True, tag="add_user"):
    """Let a user of this computer use SloPN. For root alone."""

    name: str


class RemoveUser(Struct, frozen=True, forbid_unknown_fields=True, tag="remove_user"):
    """Take back `AddUser`; the user's connections end at once. For root alone."""

    name: str


class Diagnose(Struct, frozen=True, forbid_unknown_fields=True, tag="diagnose"):
    """The reply is a `Diagnosis`: checks with verdicts, and what a support person needs, redacted."""


class Replay(Struct, frozen=True, forbid_unknown_fields=True, tag="replay"):
    """Run a recording through the pure core again, without touching anything. The reply is `Replayed`."""

    recording: bytes
    """The flight recorder's lines, compressed by zlib (RFC 1950)."""


Command = (
    Connect
    | Disconnect
    | Reconnect
    | Pause
    | Unlock
    | ImportProfile
    | CheckProfile
    | CheckEnrolment
    | Enrol
    | RenewEnrolment
    | RenameProfile
    | ExportProfile
    | ChangeProfile
    | RemoveProfile
    | ApplySettings
    | GetSnapshot
    | Watch
    | GetLogs
    | FollowLogs
    | Pair
    | ConfirmPairing
    | Renew
    | GetPairings
    | RenameDevice
    | RevokeDevice
    | GetUsers
    | AddUser
    | RemoveUser
    | Diagnose
    | Replay
)


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """One frame from a client. `id` is the client's own and comes back in the reply."""

    id: int
    command: Command
    key: str = ""
    """Chosen at random by the client and sent again with a retry: a command with a key is carried out once.

    Empty: each request stands for itself.
    """
