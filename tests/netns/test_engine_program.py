from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.netns import Namespace
from support.until import until

_PROGRAM = str(Path(sys.executable).parent / "slopn-engine")
_DEVICE = f"wg{os.getpid()}{secrets.token_hex(2)}"[:15]


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace with its own /run, so that sockets of others aren't in it."""
    with Namespace("program", private=True) as namespace:
        yield namespace


def socket_of(host: Namespace) -> Path:
    """The UAPI socket."""
    return host.root() / f"run/wireguard/{_DEVICE}.sock"


def exists(host: Namespace) -> bool:
    """Whether the interface is there."""
    return host.run(["ip", "link", "show", _DEVICE], check=False).returncode == 0


def running(host: Namespace) -> list[int]:
    """The engines that run in the namespace."""
    names = {pid: Path(f"/proc/{pid}/comm") for pid in host.pids()}
    return [pid for pid, comm in names.items() if comm.exists() and comm.read_text().strip() == "slopn-engine"]


def start(host: Namespace) -> int:
    """Start it in the background and give its process id."""
    done = host.run([_PROGRAM, _DEVICE])
    assert done.stdout + done.stderr == ""
    assert exists(host)
    assert socket_of(host).is_socket()
    assert socket_of(host).stat().st_mode & 0o777 == 0o600
    host.run(["wg", "show", _DEVICE])
    (pid,) = running(host)
    assert os.getsid(pid) == pid
    return pid


def gone(host: Namespace) -> None:
    """Wait until nothing of it is left."""
    until(lambda: not running(host) and not exists(host), 5, "the engine is gone")
    assert not socket_of(host).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_returns_when_ready_and_ends_on_a_signal(host: Namespace, number: signal.Signals) -> None:
    """The command returns once interface and socket exist; a signal ends the daemon and removes both."""
    os.kill(start(host), number)
    gone(host)


def test_it_ends_with_its_interface(host: Namespace) -> None:
    """Deleting the interface ends the daemon and removes the socket."""
    start(host)
    host.ip(f"link del {_DEVICE}")
    gone(host)


def test_it_ends_with_its_socket(host: Namespace) -> None:
    """Removing the socket, which is what wg-quick does, ends the daemon and removes the interface."""
    start(host)
    socket_of(host).unlink()
    gone(host)


def test_a_second_one_is_refused_by_a_sentence(host: Namespace) -> None:
    """An interface that exists already is refused, with a status other than 0, and stays as it is."""
    pid = start(host)
    for options in ([], ["-f"]):
        done = host.run([_PROGRAM, *options, _DEVICE], check=False)
        assert done.returncode == 1
        assert "is in use" in done.stderr
    assert running(host) == [pid]
    assert socket_of(host).is_socket()


def test_a_stale_socket_is_replaced(host: Namespace) -> None:
    """After SIGKILL the socket is left behind; the next start takes its place."""
    os.kill(start(host), signal.SIGKILL)
    until(lambda: not running(host) and not exists(host), 5, "it is dead")
    assert socket_of(host).is_socket()
    start(host)


def test_in_the_foreground_it_stays_and_logs(host: Namespace) -> None:
    """With -f, or WG_PROCESS_FOREGROUND=1, it stays attached; LOG_LEVEL=verbose shows what it uses."""
    for options, env in ((["-f"], {}), ([], {"WG_PROCESS_FOREGROUND": "1"})):
        log = host.root() / "run/log"
        with log.open("w") as out:
            process = host.popen([_PROGRAM, *options, _DEVICE], env={"LOG_LEVEL": "verbose", **env}, stdout=out)
            until(lambda: exists(host) and socket_of(host).is_socket(), 5, "it is up")
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
        assert "tun: " in log.read_text()
        gone(host)


def test_wrong_usage_is_told_apart(host: Namespace) -> None:
    """Status 2 and the usage for what makes no sense; --version says a version."""
    done = host.run([_PROGRAM], check=False)
    assert (done.returncode, "usage:" in done.stderr) == (2, True)
    assert host.run([_PROGRAM, "--version"]).stdout.startswith("slopn-engine ")
