"""Somebody else pretends to be the helper."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attacks.field import Field
from attacks.forger import private, server_certificate
from attacks.people import PYTHON
from slopn_helper.ipc.pki import Authority
from slopn_wire.codec import encode
from slopn_wire.framing import frame
from slopn_wire.greeting import Greeting
from support.certificates import Shown
from support.helper_process import BIN

_IMPOSTOR = Path(__file__).with_name("impostor.py")
_MALLORY = 64998


@contextmanager
def impostor(field: Field, uid: int, shown: Shown | None = None) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A false helper of that user's, with the real one's authority in its greeting."""
    folder = field.folder / f"impostor-{uid}"
    folder.mkdir(exist_ok=True)
    os.chown(folder, uid, uid)
    with field.line() as line:
        authority = line.greeted().authority
    greeting = folder / "greeting"
    greeting.write_bytes(frame(encode(Greeting(version="0", authority=authority))))
    path = folder / "helper.sock"
    path.unlink(missing_ok=True)
    argv = [str(PYTHON), "-I", "-S", str(_IMPOSTOR), str(uid), str(path), str(greeting)]
    if shown is not None:
        chain = folder / "chain.pem"
        chain.write_bytes(private(shown) + shown.certificate.encode())
        argv.append(str(chain))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield path, process
        finally:
            process.kill()


def status(field: Field, path: Path) -> subprocess.CompletedProcess[str]:
    """`slopn status` of root's, asked of the helper at `path`."""
    env = {**field.helper.front_end, "SLOPN_SOCKET": str(path)}
    return field.namespace.run([str(BIN / "slopn"), "status"], check=False, env=env)


def test_socket_of_another(field: Field) -> None:
    """$SLOPN_SOCKET leads to a socket of another user, who greets as the helper does.

    The front end asks the kernel who listens, and says not a word to anybody but root, or its own user.
    """
    with impostor(field, _MALLORY) as (path, process):
        done = status(field, path)
        assert done.returncode != 0
        assert "isn't SloPN's service" in done.stderr
        assert process.stdout is not None
        assert process.stdout.readline() == ".\n"


def test_greeting_repeated(field: Field, tmp_path: Path) -> None:
    """A false helper of the same user repeats the real one's greeting, and has a certificate for its host name.

    The certificate must be signed by the authority in the greeting, whose key is root's. (A program of the same user can
    do worse, and nothing here is a guard against that.)
    """
    shown = server_certificate(Authority.open(tmp_path, 0.0))
    with impostor(field, 0, shown) as (path, process):
        done = status(field, path)
        assert done.returncode != 0
        assert "can't prove that it is itself" in done.stderr
        process.kill()
        assert {line.strip() for line in process.communicate()[0].splitlines()} == {"."}
