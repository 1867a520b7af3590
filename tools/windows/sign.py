"""Authenticode signatures with an RFC 3161 time stamp. `python -m tools.windows.sign FILE…` signs each in place.

The runner names its signer in SLOPN_WINDOWS_SIGN: a command line that is given the file as its last word. Without one a
certificate authority for tests alone signs, kept in .cache/windows/sign, and a time-stamp server on loopback stamps.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.console import CACHE, Word, give_up, run

COMMAND = "SLOPN_WINDOWS_SIGN"
FOLDER = CACHE / "windows/sign"
ROOT_CERTIFICATE = FOLDER / "ca.pem"
PUBLISHER = "SloPN Test Publisher"
_MOST = 1 << 16
_LEAF = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
_STAMPS = """[tsa]
default_tsa=t
[t]
serial={folder}/tsa.serial
signer_cert={folder}/tsa.pem
signer_key={folder}/tsa.key
certs={folder}/ca.pem
signer_digest=sha256
default_policy=1.2.3.4
digests=sha256
accuracy=secs:1
ess_cert_id_chain=no
ess_cert_id_alg=sha256
"""


def main() -> int:
    """Sign what is named: makensis calls this for the uninstaller."""
    sign([Path(word) for word in sys.argv[1:]])
    return 0


def sign(paths: Sequence[Path]) -> None:
    """Sign each file in place. Raises `SystemExit` for one that can't be."""
    if command := os.environ.get(COMMAND):
        for path in paths:
            run([*shlex.split(command), path])
        return
    authority()
    with stamping() as address:
        for path in paths:
            signed = path.with_name(f"{path.name}.signed")
            words = ["osslsigncode", "sign", "-h", "sha256", "-n", "SloPN", "-ts", address]
            keys: list[Word] = ["-certs", FOLDER / "code.pem", "-ac", ROOT_CERTIFICATE, "-key", FOLDER / "code.key"]
            run([*words, *keys, "-in", path, "-out", signed], quiet=True)
            signed.replace(path)


def is_test() -> bool:
    """Whether the test authority signs."""
    return not os.environ.get(COMMAND)


def verified(path: Path) -> str | None:
    """None for a file whose signature and stamp are the test authority's and fit; else what osslsigncode says."""
    words = ["osslsigncode", "verify", "-CAfile", ROOT_CERTIFICATE, "-TSA-CAfile", ROOT_CERTIFICATE, "-in", path]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode == 0 and "Timestamp Server Signature verification: ok" in done.stdout:
        return None
    return done.stdout + done.stderr


def authority() -> None:
    """Make the test authority with its two certificates, where there is none."""
    if (FOLDER / "tsa.serial").is_file():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    root: list[Word] = [
        "-keyout",
        FOLDER / "ca.key",
        "-out",
        ROOT_CERTIFICATE,
        "-days",
        "3650",
        "-subj",
        "/CN=SloPN Test Root",
    ]
    run(["openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", *root], quiet=True)
    _certificate("code", PUBLISHER, "codeSigning")
    _certificate("tsa", "SloPN Test Time Stamps", "critical,timeStamping")
    (FOLDER / "tsa.cnf").write_text(_STAMPS.format(folder=FOLDER))
    (FOLDER / "tsa.serial").write_text("01\n")


@contextmanager
def stamping() -> Iterator[str]:
    """A time-stamp server on loopback; its address."""
    server = HTTPServer(("127.0.0.1", 0), _Stamps)
    thread = threading.Thread(target=server.serve_forever, name="time stamps", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Stamps(BaseHTTPRequestHandler):
    """RFC 3161 over HTTP, by `openssl ts`."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        if length > _MOST:
            self.send_error(413)
            return
        with TemporaryDirectory(dir=FOLDER) as folder:
            asked, answered = Path(folder) / "asked", Path(folder) / "answered"
            asked.write_bytes(self.rfile.read(length))
            words: list[Word] = [
                "openssl",
                "ts",
                "-reply",
                "-config",
                FOLDER / "tsa.cnf",
                "-queryfile",
                asked,
                "-out",
                answered,
            ]
            run(words, quiet=True)
            body = answered.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - the base class's name
        """Nobody reads it."""


def _certificate(name: str, subject: str, usage: str) -> None:
    request, leaf = FOLDER / f"{name}.csr", FOLDER / f"{name}.ext"
    leaf.write_text(_LEAF.format(usage=usage))
    key: list[Word] = [
        "-newkey",
        "rsa:3072",
        "-nodes",
        "-keyout",
        FOLDER / f"{name}.key",
        "-out",
        request,
        "-subj",
        f"/CN={subject}",
    ]
    run(["openssl", "req", *key], quiet=True)
    signer: list[Word] = [
        "-CA",
        ROOT_CERTIFICATE,
        "-CAkey",
        FOLDER / "ca.key",
        "-CAcreateserial",
        "-days",
        "900",
        "-extfile",
        leaf,
    ]
    run(["openssl", "x509", "-req", "-in", request, *signer, "-out", FOLDER / f"{name}.pem"], quiet=True)
    if not (FOLDER / f"{name}.pem").is_file():
        give_up(f"openssl made no certificate for {subject}.")


if __name__ == "__main__":
    raise SystemExit(main())
