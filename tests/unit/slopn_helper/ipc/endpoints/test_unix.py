from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.endpoints import unix
from slopn_helper.ipc.endpoints.unix import UnixEndpoint, peer_credentials, session_of
from slopn_helper.ipc.sockets import SOCKET_NAME

NOBODY = 65534
CONNECT = """
import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
print("connected", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def endpoint(folder: Path, group: int | None = None) -> Iterator[UnixEndpoint]:
    """An endpoint that is closed in the end."""
    made = UnixEndpoint(folder, group)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def client(path: Path, *, extra_groups: tuple[int, ...] = (), user: int | None = None) -> Iterator[int]:
    """Another process that is connected to `path`; its pid."""
    # -I: the interpreter reads nothing below a home that this user may not enter.
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", CONNECT, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=user,
        group=user,
        extra_groups=extra_groups if user is not None else None,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        try:
            yield process.pid
        finally:
            process.communicate(timeout=10)


def accept(listening: UnixEndpoint) -> Credentials:
    """Who connected."""

    async def go() -> Credentials:
        async with asyncio.timeout(10):
            connection = await listening.accept()
        connection.close()
        return connection.peer

    return asyncio.run(go())


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return [path.name for path in folder.iterdir()]


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_without_a_group_the_socket_is_roots_alone(tmp_path: Path) -> None:
    """0600 where the group isn't there, in a directory that all may enter."""
    with endpoint(tmp_path / "run" / "slopn") as listening:
        assert mode(listening.path) == 0o600
        assert mode(listening.path.parent) == 0o755


def test_with_a_group_its_members_may_connect(tmp_path: Path) -> None:
    """0660 and of that group."""
    group = grp.getgrgid(NOBODY).gr_gid
    with endpoint(tmp_path, group) as listening:
        assert mode(listening.path) == 0o660
        assert listening.path.lstat().st_gid == group
        assert listening.path.lstat().st_uid == os.geteuid()


@pytest.mark.parametrize(("group", "closed"), [(None, 0o600), (NOBODY, 0o660)])
def test_others_are_let_in_and_out_while_it_runs(tmp_path: Path, group: int | None, closed: int) -> None:
    """Where added users or who sits at the screen may connect: 0666, until they may not any more."""
    with endpoint(tmp_path, group) as listening:
        assert mode(listening.path) == closed
        listening.open_to_all(True)
        assert mode(listening.path) == 0o666
        listening.open_to_all(False)
        assert mode(listening.path) == closed


def test_another_user_connects_only_where_others_may(tmp_path: Path) -> None:
    """The kernel refuses the others before the helper hears of them."""
    let_in(tmp_path)
    with endpoint(tmp_path) as listening:
        assert "PermissionError" in try_as(NOBODY, listening.path)
        listening.open_to_all(True)
        assert try_as(NOBODY, listening.path) == "connected\n"


def let_in(folder: Path) -> None:
    """Let everybody go as far as `folder`: pytest's are its user's alone."""
    for each in (folder, *folder.parents):
        each.chmod(each.stat().st_mode | 0o055)


def try_as(user: int, path: Path) -> str:
    """What a connecting process of that user says."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CONNECT, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=user,
        group=user,
        extra_groups=(),
        timeout=20,
        check=False,
    )
    return done.stdout


def test_the_umask_makes_no_difference(tmp_path: Path) -> None:
    """A careless umask opens nothing."""
    before = os.umask(0)
    try:
        with endpoint(tmp_path / "run") as listening:
            assert mode(listening.path) == 0o600
            assert mode(listening.path.parent) == 0o755
    finally:
        os.umask(before)


def test_a_dead_helpers_socket_is_replaced(tmp_path: Path) -> None:
    """A stale socket is no obstacle, and nothing is left beside the new one."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as stale:
        stale.bind(str(tmp_path / SOCKET_NAME))
    with endpoint(tmp_path) as listening, contextlib.closing(socket.socket(socket.AF_UNIX)) as peer:
        peer.connect(str(listening.path))
        assert names(tmp_path) == [SOCKET_NAME]


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    """A file of that name is somebody else's: an error, and the file is as it was."""
    path = tmp_path / SOCKET_NAME
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        UnixEndpoint(tmp_path, None)
    assert path.read_text() == "mine"
    assert names(tmp_path) == [SOCKET_NAME]


@pytest.mark.parametrize("permissions", [0o777, 0o775, 0o1777])
def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path, permissions: int) -> None:
    """Else a stranger could put a socket of his own in our place."""
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(permissions)
    with pytest.raises(PermissionError):
        UnixEndpoint(folder, None)
    assert names(folder) == []


def test_a_link_to_a_directory_is_refused(tmp_path: Path) -> None:
    """The directory itself is ours, not what a link leads to."""
    (tmp_path / "there").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "there")
    with pytest.raises(PermissionError):
        UnixEndpoint(tmp_path / "run", None)


def test_a_strangers_directory_is_refused(tmp_path: Path) -> None:
    """A directory of another user is none of ours."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(PermissionError):
        UnixEndpoint(folder, None)


def test_close_removes_the_socket(tmp_path: Path) -> None:
    """Nothing is left, and closing twice does no harm."""
    listening = UnixEndpoint(tmp_path, None)
    listening.close()
    listening.close()
    assert names(tmp_path) == []


def test_close_leaves_anothers_socket(tmp_path: Path) -> None:
    """A helper that ends late doesn't cut off the one that follows."""
    old = UnixEndpoint(tmp_path, None)
    with endpoint(tmp_path) as new:
        old.close()
        assert stat.S_ISSOCK(new.path.lstat().st_mode)


def test_the_kernel_says_who_connects(tmp_path: Path) -> None:
    """User, group and process of the client, the program behind it, and its session."""
    with endpoint(tmp_path) as listening, client(listening.path) as pid:
        peer = accept(listening)
    assert (peer.uid, peer.gid, peer.pid) == (os.getuid(), os.getgid(), pid)
    assert peer.exe == os.path.realpath(sys.executable)
    assert peer.session == session_of(Path("/proc/self/cgroup").read_text())


def test_supplementary_groups_come_along(tmp_path: Path) -> None:
    """Membership is seen where it isn't the primary group, for another user than root."""
    let_in(tmp_path)
    with (
        endpoint(tmp_path, NOBODY) as listening,
        client(listening.path, user=NOBODY, extra_groups=(54321, 54322)),
    ):
        peer = accept(listening)
    assert (peer.uid, peer.gid, set(peer.groups)) == (NOBODY, NOBODY, {54321, 54322})


@pytest.mark.parametrize(
    ("cgroups", "session"),
    [
        ("0::/user.slice/user-1000.slice/session-c2.scope", "c2"),
        ("0::/user.slice/user-1000.slice/session-17.scope/mine", "17"),
        ("12:pids:/user.slice/x\n1:name=systemd:/user.slice/user-1000.slice/session-4.scope\n0::/", "4"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/session-c1.scope", None),
        ("0::/system.slice/session-c1.scope.service", None),
        ("0::/mine/session-c1.scope", None),
        ("0::/user.slice/user-1000.slice/session-../c1.scope", None),
        ("12:pids:/user.slice/user-1000.slice/session-4.scope", None),
        ("0::/", None),
        ("", None),
        ("rubbish", None),
    ],
)
def test_a_login_session_is_told_by_the_cgroup(cgroups: str, session: str | None) -> None:
    """As logind makes them; what a user has made further below, under the name of a session, is none."""
    assert session_of(cgroups) == session


def test_a_client_that_is_gone_has_no_program(tmp_path: Path) -> None:
    """The process has ended: its number proves nothing any more, so no program is named."""
    with endpoint(tmp_path) as listening:
        with client(listening.path) as pid:
            pass
        peer = accept(listening)
    assert peer.pid == pid
    assert (peer.exe, peer.session) == (None, None)


def test_a_reused_process_number_has_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number leads to a living process, but the peer itself has ended: that program isn't the one that connected."""

    def ended(*_: object) -> int:
        with subprocess.Popen(["true"]) as gone:
            return os.pidfd_open(gone.pid)

    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_credentials(ours).exe is not None
        monkeypatch.setattr(unix, "_pidfd", ended)
        assert peer_credentials(ours).exe is None


def test_credentials_are_those_of_the_moment_of_connecting() -> None:
    """A pair of sockets made here is ours."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = peer_credentials(ours)
    assert (peer.uid, peer.pid) == (os.getuid(), os.getpid())
    assert set(peer.groups) == set(os.getgroups())


def test_a_waiting_accept_can_be_cancelled(tmp_path: Path) -> None:
    """The server's end doesn't hang on a client that never comes."""

    async def go() -> None:
        with endpoint(tmp_path) as listening, pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await listening.accept()

    asyncio.run(go())
