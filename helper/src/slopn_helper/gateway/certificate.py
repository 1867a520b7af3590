"""The enrolment's certificate: one that we make, known to devices by its key's pin, or the administrator's own.

The pin is of the key alone. So the key is made once and kept, and a certificate of ours that is lost, damaged, too old or
for another name is made anew for the same key: no device notices.
"""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from slopn_helper.files import make_directory, sweep_temporary, why, write_file

LIFETIME = timedelta(days=3650)
EARLY = timedelta(days=1)
"""A certificate is valid that much before it is made: clocks differ."""
CHAIN, KEY = "certificate.pem", "certificate.key"

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class CertificateError(Exception):
    """A certificate or its key can't be used. The message says which, why, and what to do."""


class Identity(Struct, frozen=True):
    """What a gateway shows on its enrolment's port."""

    chain_pem_path: Path
    key_path: Path
    pin: bytes
    """SHA-256 of the key's SubjectPublicKeyInfo, 32 bytes: what an enrolment link holds."""


def ensure(directory: Path, host: str, *, now: float | None = None) -> Identity:
    """Our own certificate for `host`, a name or an address, made if there is none. `now`: Unix time, for tests.

    `directory`: its own alone, since what an interrupted write has left there is cleared away.

    Raises `CertificateError`; a damaged key is never replaced, since every device would take the gateway for another one.
    """
    moment = _moment(time.time() if now is None else now)
    chain, path = directory / CHAIN, directory / KEY
    try:
        make_directory(directory)
        sweep_temporary(directory)
        if path.exists():
            key = _read_key(path)
        else:
            key = ec.generate_private_key(ec.SECP256R1())
            write_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        if not _fits(chain, key, host, moment):
            write_file(chain, _make(key, host, moment).public_bytes(Encoding.PEM))
    except OSError as error:
        raise CertificateError(f"The certificate in {directory} can't be read or written: {why(error)}.") from None
    return Identity(chain, path, pin_of(key.public_key()))


def own(certificate: Path, key: Path) -> Identity:
    """The administrator's. Raises `CertificateError`."""
    shown = _read_chain(certificate)[0]
    public = _read_key(key).public_key()
    if _spki(public) != _spki(_public_of(shown, certificate)):
        raise CertificateError(f"The key in {key} isn't that of the certificate in {certificate}.")
    return Identity(certificate, key, pin_of(public))


def problem(identity: Identity, now: float) -> str | None:
    """What is wrong with it at `now` (Unix time), in a sentence; None: nothing. Reads the files again."""
    try:
        found = own(identity.chain_pem_path, identity.key_path)
        shown = _read_chain(identity.chain_pem_path)[0]
        context(identity)
    except CertificateError as error:
        return str(error)
    path = identity.chain_pem_path
    if found.pin != identity.pin:
        return (
            f"The key of {path} is another one than devices know: each must be enrolled anew, or get the old key back."
        )
    moment = _moment(now)
    if moment < shown.not_valid_before_utc:
        return f"The certificate in {path} isn't valid before {_day(shown.not_valid_before_utc)}: is the clock right?"
    if moment >= shown.not_valid_after_utc:
        return f"The certificate in {path} ended on {_day(shown.not_valid_after_utc)}: renew it, with the same key."
    return None


def context(identity: Identity) -> ssl.SSLContext:
    """TLS 1.3 alone, as this gateway; no session tickets: a device comes seldom. Raises `CertificateError`."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.num_tickets = 0
    made.set_alpn_protocols(["http/1.1"])
    try:
        # With a password OpenSSL would ask for it on the terminal, and wait.
        made.load_cert_chain(identity.chain_pem_path, identity.key_path, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise CertificateError(f"TLS doesn't take the certificate in {identity.chain_pem_path}: {error}.") from None
    return made


def pin_of(key: PublicKey) -> bytes:
    """SHA-256 of the key's SubjectPublicKeyInfo (RFC 7469, section 2.4)."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_spki(key))
    return digest.finalize()


def _fits(path: Path, key: PrivateKey, host: str, moment: datetime) -> bool:
    """Whether what lies there is a certificate of `key` for `host` that holds now."""
    try:
        found = _read_chain(path)[0]
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        same = _spki(_public_of(found, path)) == _spki(key.public_key())
    except (CertificateError, x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    return same and list(names) == [_name(host)] and found.not_valid_before_utc <= moment < found.not_valid_after_utc


def _make(key: PrivateKey, host: str, moment: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SloPN gateway")])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), moment - EARLY, moment + LIFETIME
    )
    return (
        builder.add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256())
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _read_chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise CertificateError(f"The certificate {path} can't be read: {why(error)}.") from None
    except (ValueError, x509.InvalidVersion):
        raise CertificateError(f"{path} holds no certificate in PEM, or a damaged one.") from None


def _read_key(path: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise CertificateError(f"The certificate's key {path} can't be read: {why(error)}.") from None
    except TypeError:
        raise CertificateError(f"The key in {path} has a password: store it without one, 0600.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(
            f"{path} holds no private key in PEM, or a damaged one. Bring it back from a backup: with a new key every "
            "device must be enrolled anew."
        ) from None
    if not isinstance(key, PrivateKey):
        raise CertificateError(f"The key in {path} is of a kind that TLS 1.3 doesn't know.")
    return key


def _public_of(certificate: x509.Certificate, path: Path) -> PublicKey:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"The certificate in {path} has a key that can't be read.") from None
    if not isinstance(key, PublicKey):
        raise CertificateError(f"The certificate in {path} has a key of a kind that TLS 1.3 doesn't know.")
    return key


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(int(now), UTC)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
