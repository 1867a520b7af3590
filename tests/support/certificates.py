"""Keys, requests and certificates as front ends make them, honest and not; and TLS between two ends of a socket pair."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from slopn_helper.ipc.certificates import ClientCertificate
from slopn_helper.ipc.pki import presented
from slopn_wire.greeting import HOST

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_PATIENCE = 20.0


class Shown(NamedTuple):
    """What the client of a handshake holds: a key and a certificate for it."""

    key: Key
    certificate: str


class Outcome(NamedTuple):
    """What a handshake came to, as each end has seen it: an error, or what the other end showed."""

    server: ClientCertificate | ssl.SSLError | OSError | None
    client: str | ssl.SSLError | OSError
    """Version of TLS."""


def new_key() -> ec.EllipticCurvePrivateKey:
    """ECDSA over P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def request_for(key: Key, *extensions: x509.ExtensionType, name: str = "front end") -> str:
    """A certificate signing request, PEM."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def self_signed(device: str) -> Shown:
    """A certificate that claims to be a front end's, signed by its own key."""
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SloPN helper's authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"slopn-device:{device}")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return Shown(key, made.public_bytes(serialization.Encoding.PEM).decode())


def client_context(authority: str, shown: Shown | None = None) -> ssl.SSLContext:
    """A front end's side of TLS, that trusts `authority` (PEM) whatever the clock says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = ssl.VerifyFlags(ssl.VERIFY_X509_STRICT | 0x200000)
    context.load_verify_locations(cadata=authority)
    if shown is not None:
        use(context, shown)
    return context


def use(context: ssl.SSLContext, shown: Shown) -> None:
    """Let `context` show a certificate and prove its key."""
    key = shown.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor, name = tempfile.mkstemp(prefix="slopn-test-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + shown.certificate.encode())
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> Outcome:
    """Both ends of a real handshake, and one byte from the server, which shows the client whether it was let in."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as threads:
        for each in (ours, theirs):
            each.settimeout(_PATIENCE)
        serving = threads.submit(_serve, ours, server)
        seen = _connect(theirs, client)
        return Outcome(serving.result(_PATIENCE), seen)


def _serve(raw: socket.socket, context: ssl.SSLContext) -> ClientCertificate | ssl.SSLError | OSError | None:
    try:
        with context.wrap_socket(raw, server_side=True) as connection:
            shown = presented(connection)
            connection.sendall(b".")
            return shown
    except OSError as error:
        return error


def _connect(raw: socket.socket, context: ssl.SSLContext) -> str | ssl.SSLError | OSError:
    try:
        with context.wrap_socket(raw, server_hostname=HOST) as connection:
            connection.recv(1)
            return connection.version() or ""
    except OSError as error:
        return error
