"""What a client may ask of the helper. Each has a reply; none waits for the tunnel."""

from __future__ import annotations

from msgspec import Struct

from slopn_wire.settings import Settings


class Connect(Struct, frozen=True, forbid_unknown_fields=True, tag="connect"):
    """Bring up `profile`; None: the one used last, or the only one."""

    profile: str | None = None


class Disconnect(Struct, frozen=True, forbid_unknown_fields=True, tag="disconnect"):
    """Take the tunnel down, and want none."""


class Reconnect(Struct, frozen=True, forbid_unknown_fields=True, tag="reconnect"):
    """Take the tunnel down and bring the same one up again."""


class ImportProfile(Struct, frozen=True, forbid_unknown_fields=True, tag="import_profile"):
    """Store the wg-quick file `text` as profile `name`. `filename` appears in errors."""

    name: str
    text: str
    filename: str
    replace: bool = False


class ExportProfile(Struct, frozen=True, forbid_unknown_fields=True, tag="export_profile"):
    """The reply is an `Exported`: a wg-quick file with the private key."""

    name: str


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
    """The reply is a `Snapshot`; `Event`s with rising `seq` follow. With `logs`, `LogLine`s come too."""

    logs: bool = False


class GetLogs(Struct, frozen=True, forbid_unknown_fields=True, tag="get_logs"):
    """The reply is a `Logs`: what the ring still holds, oldest first."""

    since: float = 0.0
    """Unix time."""
    level: str = "debug"


Command = (
    Connect
    | Disconnect
    | Reconnect
    | ImportProfile
    | ExportProfile
    | RemoveProfile
    | ApplySettings
    | GetSnapshot
    | Watch
    | GetLogs
)


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """One frame from a client. `id` is the client's own and comes back in the reply."""

    id: int
    command: Command
