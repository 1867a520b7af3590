"""What needs no keyring. With real ones: tests/e2e/test_keyring_secret_service.py."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from slopn_app.credentials.vault import Unavailable
from slopn_app.host.secret_service import SecretService, session_bus


def test_the_stated_bus_is_the_users(tmp_path: Path) -> None:
    """As libdbus and sd-bus have it: the variable, then the socket in the runtime directory if it is the user's own."""
    uid = os.geteuid()
    assert session_bus({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x", "XDG_RUNTIME_DIR": "/y"}, uid) == "unix:path=/x"
    with pytest.raises(Unavailable, match="no session bus"):
        session_bus({"XDG_RUNTIME_DIR": str(tmp_path)}, uid)
    (tmp_path / "bus").write_text("")
    assert session_bus({"XDG_RUNTIME_DIR": str(tmp_path)}, uid) == f"unix:path={tmp_path}/bus"
    with pytest.raises(Unavailable):
        session_bus({"XDG_RUNTIME_DIR": str(tmp_path)}, uid + 1)
    with pytest.raises(Unavailable):
        session_bus({}, 987654)


@pytest.mark.parametrize(
    "address",
    ["unix:path=/nonexistent/bus", "tcp:host=127.0.0.1,port=1", "rubbish", "", "unix:", "autolaunch:"],
)
def test_a_bus_that_is_not_there_is_no_keyring(address: str) -> None:
    """Whatever the environment says, there is one way in which it fails."""
    with pytest.raises(Unavailable, match="session bus can't be reached"):
        SecretService(address).get("x")


@pytest.mark.parametrize("said", [b"", b"OK 0123456789abcdef0123456789abcdef\r\n"])
def test_a_bus_that_hangs_is_given_up(tmp_path: Path, said: bytes) -> None:
    """Before it has let us in, and after."""
    path = str(tmp_path / "bus")
    done = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(said)
                done.wait(20)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unavailable, match="doesn't answer"):
            SecretService(f"unix:path={path}", within=0.2).get("x")
        done.set()
        thread.join(20)


def test_a_bus_that_hangs_up_is_no_keyring(tmp_path: Path) -> None:
    """As one that isn't there."""
    path = str(tmp_path / "bus")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Unavailable):
            SecretService(f"unix:path={path}").put("x", "y", "z")
        thread.join(20)
