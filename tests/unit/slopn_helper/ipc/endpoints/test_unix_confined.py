from __future__ import annotations

import errno
import signal
import socket
from pathlib import Path

import pytest

from slopn_helper.ipc.endpoints.unix import peer_credentials


def test_a_program_is_told_without_the_right_to_send_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service that is confined (no CAP_KILL) is answered for another user's process: it lives."""

    def refused(_pidfd: int, _signal: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(signal, "pidfd_send_signal", refused)
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_credentials(ours).exe == str(Path("/proc/self/exe").readlink())
