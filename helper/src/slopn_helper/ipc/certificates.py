"""The helper's certificates (RFC 5280), pure: its authority's, its server's, and those of paired front ends.

All keys are ECDSA over P-256, but a front end's may also be Ed25519. Nobody reads the names in these certificates but
people: a server's is known by its host name, a front end's by the device that its one alternative name names.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from slopn_wire.greeting import HOST

MAX_REQUEST = 4096
"""Largest certificate signing request that is read, in characters; one for a P-256 key has about 500."""
LIFETIME = 365 * 24 * 60 * 60.0
"""Seconds that a front end's certificate lasts."""
EARLY = 60 * 60.0
"""Seconds before its making from which a certificate holds, for clocks that differ a little."""

ClientKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_SCHEME = "slopn-device:"
# RFC 5280, 4.1.2.5: the date for what has no well-defined end.
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (_NEVER - _EPOCH).total_seconds()


class ClientCertificate(Struct, frozen=True):
    """What a front end's certificate says, once TLS has shown that it is one of ours and that its key is there."""

    serial: str
    """Lower-case hexadecimal."""
    device: str
    not_before: float
    """Unix time, in whole seconds."""
    not_after: float


class Issued(Struct, frozen=True):
    """A fresh certificate for a front end."""

    certificate: str
    """PEM."""
    serial: str
    """As in `ClientCertificate`."""
    not_before: float
    """Unix time, in whole seconds."""
    not_after: float


def make_authority(key: ec.EllipticCurvePrivateKey, now: float) -> x509.Certificate:
    """The self-signed certificate of an authority: it signs end entities alone, and has no end."""
    public = key.public_key()
    name = _name("SloPN helper's authority")
    start = _time(now - EARLY)
    return (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number(), start, _NEVER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def make_server(
    authority: x509.Certificate, key: ec.EllipticCurvePrivateKey, public: ec.EllipticCurvePublicKey, now: float
) -> x509.Certificate:
    """The helper's own certificate, for the host `HOST`; `key` is the authority's. It ends with the process."""
    builder = _end_entity(
        authority, public, "SloPN helper", _time(now - EARLY), _NEVER, ExtendedKeyUsageOID.SERVER_AUTH
    )
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    return builder.add_extension(names, critical=False).sign(key, hashes.SHA256())


def read_request(pem: str) -> ClientKey:
    """The key that a certificate signing request (PKCS #10, RFC 2986) shows to have; all else in it is ignored.

    Raises `ValueError` with a sentence.
    """
    if len(pem) > MAX_REQUEST:
        raise ValueError(f"The certificate request has {len(pem)} characters; at most {MAX_REQUEST} are read.")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        # Their messages may quote what they could not read.
        raise ValueError("The certificate request can't be read: it must be PKCS #10, as PEM.") from None
    if not _usable(key):
        raise ValueError("The certificate request has another kind of key than ECDSA over P-256 or Ed25519.")
    try:
        signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm):
        signed = False
    if not signed:
        raise ValueError("The certificate request isn't signed by its own key.")
    return key


def make_client(
    authority: x509.Certificate, key: ec.EllipticCurvePrivateKey, public: ClientKey, device: str, now: float
) -> Issued:
    """A certificate by which the front end `device` connects for a year; `key` is the authority's."""
    start, end = _time(now - EARLY), _time(now + LIFETIME)
    builder = _end_entity(authority, public, "SloPN front end", start, end, ExtendedKeyUsageOID.CLIENT_AUTH)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(_SCHEME + device)])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return Issued(pem(made), _serial(made), start.timestamp(), end.timestamp())


def read_client(der: bytes) -> ClientCertificate | None:
    """What a front end's certificate says; None: it names no device, and so is none of ours. Signatures aren't checked.

    Raises `ValueError` for what is no certificate.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension):
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1 or not uris[0].startswith(_SCHEME):
        return None
    return ClientCertificate(
        _serial(certificate),
        uris[0].removeprefix(_SCHEME),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
    )


def pem(certificate: x509.Certificate) -> str:
    """The certificate as text (RFC 7468)."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _usable(key: object) -> TypeGuard[ClientKey]:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, ed25519.Ed25519PublicKey)


def _end_entity(
    authority: x509.Certificate,
    public: ClientKey,
    name: str,
    start: datetime,
    end: datetime,
    purpose: x509.ObjectIdentifier,
) -> x509.CertificateBuilder:
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder(authority.subject, _name(name), public, x509.random_serial_number(), start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _time(unix: float) -> datetime:
    """Whole seconds, within what a certificate can say: a clock may be anywhere."""
    return _EPOCH + timedelta(seconds=int(min(max(unix, 0.0), _LAST)))


def _serial(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"
