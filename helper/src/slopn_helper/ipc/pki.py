"""The helper's certificate authority: its key on disk, TLS with it, and certificates for paired front ends."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from slopn_helper.files import sweep_temporary
from slopn_helper.ipc.certificates import (
    ClientCertificate,
    Issued,
    make_authority,
    make_client,
    make_server,
    pem,
    read_client,
    read_request,
)
from slopn_helper.ipc.chain import load_chain
from slopn_helper.ipc.private import Exposed, open_directory, read_private, set_aside, write_private

DIRECTORY = "pki"
"""In the state directory; nobody's but the helper's."""
FILE = "authority.pem"
"""In it: key (PKCS #8), then certificate. One file, so that they can't be of two authorities."""

# openssl/x509_vfy.h: X509_V_FLAG_NO_CHECK_TIME; Python has no name for it.
_NO_CHECK_TIME = 0x200000


class Authority:
    """What signs the certificates of this helper and its front ends. Only `open` touches the disk."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, lost: str = "") -> None:
        self._key = key
        self._certificate = certificate
        self.lost = lost
        """What became of the authority before this one, in words that end a sentence; empty: nothing, or none was."""

    @classmethod
    def open(cls, state_dir: Path, now: float, owner: int = 0) -> Self:
        """Read it, or make it at the first run (`now`: Unix time). Blocks for a few syncs; call it once, locked.

        One that is damaged, or that others could read, is set aside and a new one made: `lost` says so, and all must be
        paired again. Raises `SecretError` if that can't be written, or `state_dir` isn't `owner`'s.
        """
        directory = state_dir / DIRECTORY
        closed = open_directory(directory, owner)
        sweep_temporary(directory)
        path = directory / FILE
        lost = ""
        try:
            raw = _read(path, owner, closed=closed)
            if raw is not None:
                return cls(*_unpack(raw))
        except Exposed as error:
            lost = f"{error}; it is set aside as {set_aside(path)}"
        except _DAMAGE:
            lost = f"{FILE} was damaged and is set aside as {set_aside(path)}"
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = make_authority(key, now)
        write_private(path, _pack(key, certificate))
        return cls(key, certificate, lost)

    @property
    def certificate(self) -> str:
        """PEM; public."""
        return pem(self._certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def made(self) -> float:
        """Unix time of its making: a clock that says less is wrong."""
        return self._certificate.not_valid_before_utc.timestamp()

    @property
    def ends(self) -> float:
        """Unix time from which on it is too old."""
        return self._certificate.not_valid_after_utc.timestamp()

    def server_context(self) -> ssl.SSLContext:
        """TLS 1.3 as this helper, with a key made now that never reaches a disk. Clients show their certificate or none.

        A certificate's dates aren't checked here: clocks are wrong in the field, so the registry judges them.
        Raises `OSError`.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = make_server(self._certificate, self._key, key.public_key(), self.made)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags = ssl.VerifyFlags(ssl.VERIFY_X509_STRICT | _NO_CHECK_TIME)
        context.load_verify_locations(cadata=self.certificate)
        # A resumed session would not be judged by its certificate again.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        load_chain(context, key, pem(certificate))
        return context

    def issue(self, request: str, device: str, now: float) -> Issued:
        """A certificate for the key in `request` (PKCS #10, PEM). Raises `ValueError` with a sentence.

        `now` before this authority was made is taken for the wrong clock it is: the certificate would soon be too old.
        """
        return make_client(self._certificate, self._key, read_request(request), device, max(now, self.made))

    def __repr__(self) -> str:
        return f"Authority({self.fingerprint})"


def presented(connection: ssl.SSLObject | ssl.SSLSocket) -> ClientCertificate | None:
    """The certificate that the client of a `server_context` has shown and holds the key of; None: it showed none."""
    der = connection.getpeercert(binary_form=True)
    return None if der is None else read_client(der)


def _read(path: Path, owner: int, *, closed: bool) -> bytes | None:
    raw = read_private(path, owner)
    if raw is not None and not closed:
        raise Exposed("others could reach their directory")
    return raw


class _Damaged(Exception):
    pass


_DAMAGE = (
    _Damaged,
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    InvalidSignature,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
)


def _pack(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + pem(certificate).encode()


def _unpack(raw: bytes) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = serialization.load_pem_private_key(raw, password=None)
    certificate = x509.load_pem_x509_certificate(raw)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _Damaged
    if certificate.public_key() != key.public_key():
        raise _Damaged
    certificate.verify_directly_issued_by(certificate)
    if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise _Damaged
    certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return key, certificate
