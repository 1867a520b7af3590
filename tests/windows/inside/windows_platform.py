"""What stands on Windows' own calls: the pipe and who is at its other end, secrets, start at login."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
import winreg
from collections.abc import Iterator
from pathlib import Path

import pytest
import win32api
import win32con
import win32crypt
import win32security

from slopn_app.host.autostart_windows import KEY, NAME, RunKey
from slopn_app.host.keyring import PinnedKeyring
from slopn_app.host.pipe import PipeStream
from slopn_app.host.tls import TlsStream
from slopn_app.host.win32 import Win32 as Client
from slopn_helper.ipc.endpoints.pipe.caller import PipeCredentials
from slopn_helper.ipc.endpoints.pipe.endpoint import PipeEndpoint
from slopn_helper.ipc.endpoints.pipe.proactor import ProactorPipes
from slopn_helper.ipc.endpoints.pipe.sddl import Sid, descriptor
from slopn_helper.ipc.endpoints.pipe.win32 import Win32
from slopn_wire.framing import frame
from support.tls_pair import HOST, tls_pair

PIPE = rf"\\.\pipe\slopn-test-{os.getpid()}"
PATIENCE = 30.0
GREETING = b"hello, in plain\n"


def test_a_client_talks_tls_in_the_pipe_and_is_known(tmp_path: Path) -> None:
    """The greeting in plain, TLS 1.3, a frame there and back; the helper knows the client's process and user."""
    server, client = tls_pair(tmp_path)
    sent = frame(b"x" * 50_000)
    answers: list[bytes] = []
    failed: list[BaseException] = []

    def talk() -> None:
        try:
            pipe = PipeStream(Client(), Client().open(PIPE))
            pipe.settimeout(PATIENCE)
            greeting = pipe.recv(len(GREETING))
            tls = TlsStream(pipe, client, HOST)
            tls.sendall(sent)
            answer = b""
            while len(answer) < len(sent):
                answer += tls.recv(len(sent) - len(answer))
            answers.extend((greeting, answer))
            tls.close()
        except (OSError, ssl.SSLError) as error:
            failed.append(error)

    async def serve() -> PipeCredentials:
        endpoint = PipeEndpoint(Win32(), ProactorPipes(), [], name=PIPE)
        thread = threading.Thread(target=talk)
        thread.start()
        try:
            async with asyncio.timeout(PATIENCE):
                connection = await endpoint.accept()
                connection.say(GREETING)
                reader, writer = await connection.secure(server, PATIENCE)
                writer.write(await reader.readexactly(len(sent)))
                await writer.drain()
                await asyncio.to_thread(thread.join, PATIENCE)
                connection.close()
                return connection.peer
        finally:
            endpoint.close()

    peer = asyncio.run(serve())
    assert not failed, failed
    assert answers == [GREETING, sent]
    assert peer.pid == os.getpid()
    assert peer.sid == Client().me()


def test_the_access_list_is_one_that_windows_reads() -> None:
    """Windows takes the text, and gives it back with the same entries."""
    text = descriptor([Sid(5, (21, 1, 2, 3, 1001))])
    parsed = win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(text, 1)
    entries = [parsed.GetSecurityDescriptorDacl().GetAce(number) for number in range(4)]
    assert [(kind, win32security.ConvertSidToStringSid(sid)) for (kind, _), _, sid in entries] == [
        (1, "S-1-5-2"),
        (0, "S-1-5-18"),
        (0, "S-1-5-32-544"),
        (0, "S-1-5-21-1-2-3-1001"),
    ]


@pytest.mark.wine_pretends("keeps access lists and doesn't enforce them")
def test_the_pipe_is_closed_to_everybody_else() -> None:
    """Nobody is let in by a list that denies all."""
    kernel = Win32()
    handle = kernel.create(PIPE + "-closed", "O:SYG:SYD:P(D;;FA;;;WD)", first=True)
    try:
        with pytest.raises(PermissionError):
            Client().close(Client().open(PIPE + "-closed"))
    finally:
        kernel.close(handle)


@pytest.mark.wine_pretends("lets others make instances of a pipe whatever its first one says")
def test_nobody_else_takes_the_name() -> None:
    """The first instance is the first."""
    kernel = Win32()
    handle = kernel.create(PIPE + "-first", descriptor([]), first=True)
    try:
        with pytest.raises(PermissionError):
            kernel.create(PIPE + "-first", descriptor([]), first=True)
    finally:
        kernel.close(handle)


def test_the_credential_locker_keeps_a_secret() -> None:
    """Put, read, replaced, forgotten."""
    vault = PinnedKeyring("keyring.backends.Windows", "WinVaultKeyring", within=PATIENCE)
    name = f"test-{os.getpid()}"
    assert vault.get(name) is None
    for secret in ("süß", "k" * 1000):
        vault.put(name, "a test", secret)
        assert vault.get(name) == secret
    vault.delete(name)
    assert vault.get(name) is None


def test_dpapi_gives_back_what_it_protects() -> None:
    """For the computer, and not readable without it; a changed byte is noticed."""
    machine = 4  # CRYPTPROTECT_LOCAL_MACHINE
    blob = win32crypt.CryptProtectData(b"private key", "slopn", None, None, None, machine)
    assert b"private key" not in blob
    assert win32crypt.CryptUnprotectData(blob, None, None, None, machine)[1] == b"private key"


@pytest.fixture
def run_key() -> Iterator[RunKey]:
    """The real one of the prefix; left as it was."""
    key = RunKey(r"C:\Program Files\SloPN\slopn-tray.exe")
    yield key
    key.enable(on=False)


def test_the_tray_starts_at_login(run_key: RunKey) -> None:
    """A value of the Run key, quoted since its path has a space; twice is once, off is gone."""
    assert not run_key.enabled()
    run_key.enable(on=True)
    run_key.enable(on=True)
    assert run_key.enabled()
    with winreg.OpenKey(winreg.HKEY_CURRENT_USER, KEY) as key:
        value, kind = winreg.QueryValueEx(key, NAME)
    assert (value, kind) == (r'"C:\Program Files\SloPN\slopn-tray.exe" --login', winreg.REG_SZ)
    run_key.enable(on=False)
    run_key.enable(on=False)
    assert not run_key.enabled()


def test_wine_says_who_we_are() -> None:
    """Positive control for what is compared with above: the process's user is an account or SYSTEM."""
    token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32con.TOKEN_QUERY)
    user, _ = win32security.GetTokenInformation(token, win32security.TokenUser)
    assert win32security.ConvertSidToStringSid(user) == Client().me()
