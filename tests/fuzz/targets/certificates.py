"""What a client may hand in to be signed, and what it may show: a sentence or `ValueError`, nothing else."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from slopn_helper.ipc.certificates import read_client, read_request


def target(data: bytes) -> None:
    """The first byte chooses: a request as text, or a certificate."""
    if not data:
        return
    if data[0] & 1:
        request(data[1:].decode("utf-8", errors="replace"))
    else:
        shown(data[1:])


def request(text: str) -> None:
    """What is accepted can be signed; what is refused is told in a sentence that quotes nothing."""
    try:
        key = read_request(text)
    except ValueError as error:
        sentence = str(error)
        assert sentence.endswith(".")
        assert sentence.isprintable()
        assert len(sentence) < 120
        return
    assert isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)


def shown(der: bytes) -> None:
    """A certificate that names a device does so in plain words."""
    try:
        found = read_client(der)
    except (ValueError, x509.InvalidVersion):
        return
    if found is not None:
        assert found.serial == found.serial.lower()
        assert found.not_before <= 253402300800.0


def seeds() -> list[bytes]:
    """A request that comes out the same each time. Those with chance in their signatures lie with what was found."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "window")])
    made = x509.CertificateSigningRequestBuilder(name).sign(key, None)
    return [b"\x01" + made.public_bytes(serialization.Encoding.PEM)]
