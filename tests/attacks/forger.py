"""Certificates that nobody should have: what a thief of the authority's key, or a liar, would make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from slopn_helper.ipc.certificates import make_server, pem
from slopn_helper.ipc.pki import Authority
from support.certificates import Shown, new_key


def authority_of(state_dir: Path) -> Authority:
    """The helper's authority, key and all: root could read it."""
    return Authority.open(state_dir, 0.0)


def server_certificate(authority: Authority) -> Shown:
    """One like the helper's own."""
    key = new_key()
    return Shown(key, pem(make_server(authority._certificate, authority._key, key.public_key(), authority.made)))


def dated(authority: Authority, shown: Shown, begin: timedelta, end: timedelta) -> Shown:
    """The same certificate, serial number and all, but for its dates, which are `begin` and `end` from now."""
    old = x509.load_pem_x509_certificate(shown.certificate.encode())
    now = datetime.now(UTC).replace(microsecond=0)
    builder = x509.CertificateBuilder(
        old.issuer, old.subject, old.public_key(), old.serial_number, now + begin, now + end
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return Shown(shown.key, pem(builder.sign(authority._key, hashes.SHA256())))


def signed_by(parent: Shown) -> Shown:
    """A certificate for a new key that says the same as `parent`, and is signed by the key of that, which is no authority's.

    The text has both, so that a client shows the whole chain.
    """
    old = x509.load_pem_x509_certificate(parent.certificate.encode())
    key = new_key()
    builder = x509.CertificateBuilder(
        old.subject,
        old.subject,
        key.public_key(),
        old.serial_number,
        old.not_valid_before_utc,
        old.not_valid_after_utc,
    )
    for extension in old.extensions:
        if not isinstance(extension.value, x509.SubjectKeyIdentifier | x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(old.public_key())  # type: ignore[arg-type]
    builder = builder.add_extension(subject, critical=False).add_extension(issuer, critical=False)
    assert isinstance(parent.key, ec.EllipticCurvePrivateKey)
    return Shown(key, pem(builder.sign(parent.key, hashes.SHA256())) + parent.certificate)


def private(shown: Shown) -> bytes:
    """Its key, PEM."""
    return shown.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
