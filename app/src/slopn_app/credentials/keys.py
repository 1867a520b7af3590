"""Makes a front end's key and reads its certificate. Imports `cryptography`: only pairing and renewing come here."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def make_key(name: str) -> tuple[str, str]:
    """A private key (PKCS #8) and a request for its certificate (PKCS #10), both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), request.public_bytes(Encoding.PEM).decode()


def validity(certificate: str) -> tuple[float, float]:
    """From when to when a PEM certificate holds, Unix time. Raises `ValueError`."""
    read = x509.load_pem_x509_certificate(certificate.encode())
    return read.not_valid_before_utc.timestamp(), read.not_valid_after_utc.timestamp()
