"""Asking systemd to start the helper's service, over the system bus: org.freedesktop.systemd1(5)."""

from __future__ import annotations

from jeepney import DBusAddress, MessageFlag, MessageType, new_method_call  # type: ignore[import-untyped]
from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

UNIT = "slopn-helper.service"
_TIMEOUT = 120.0
"""Seconds: polkit asks the user for a password."""
_MANAGER = DBusAddress("/org/freedesktop/systemd1", "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager")


def start_helper() -> None:
    """Start the unit as `systemctl start` would, with a question to the user if need be. Raises `OSError`, for people."""
    remedy = f"Start it in a terminal: `sudo systemctl start {UNIT.removesuffix('.service')}`."
    try:
        with open_dbus_connection(bus="SYSTEM") as bus:
            call = new_method_call(_MANAGER, "StartUnit", "ss", (UNIT, "replace"))
            call.header.flags |= MessageFlag.allow_interactive_authorization
            reply = bus.send_and_get_reply(call, timeout=_TIMEOUT)
    except (OSError, KeyError, TimeoutError) as error:
        raise OSError(f"The system can't be asked to start SloPN's service: {error}. {remedy}") from None
    if reply.header.message_type is MessageType.error:
        reason = reply.body[0] if reply.body else "no reason was given"
        raise OSError(f"SloPN's service wasn't started: {reason} {remedy}")
