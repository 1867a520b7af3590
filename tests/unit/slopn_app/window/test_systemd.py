"""Asking systemd to start the helper."""

from __future__ import annotations

import pytest

from slopn_app.window import systemd


def test_no_system_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what the user can do instead."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    with pytest.raises(OSError, match="sudo systemctl start slopn-helper"):
        systemd.start_helper()
