from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from slopn_helper.gateway.certificate import CertificateError, context, ensure, own, problem

NOW = 1_800_000_000.0
YEARS = 365 * 86_400.0


def shown(path: Path) -> x509.Certificate:
    """What lies there."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_is_made_once(tmp_path: Path) -> None:
    """Key and certificate stay as they are; the key is its owner's alone; the pin is of the key."""
    first = ensure(tmp_path / "made", "vpn.example.org", now=NOW)
    kept = first.chain_pem_path.read_bytes(), first.key_path.read_bytes()
    assert ensure(tmp_path / "made", "vpn.example.org", now=NOW + YEARS) == first
    assert (first.chain_pem_path.read_bytes(), first.key_path.read_bytes()) == kept
    assert stat.S_IMODE(first.key_path.stat().st_mode) == 0o600
    spki = shown(first.chain_pem_path).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert first.pin == sha256(spki).digest()
    assert problem(first, NOW) is None


@pytest.mark.parametrize("host", ["vpn.example.org", "192.0.2.7", "2001:db8::7"])
def test_it_is_for_its_host(tmp_path: Path, host: str) -> None:
    """By name or address, as a client that checks names wants it."""
    identity = ensure(tmp_path, host, now=NOW)
    names = shown(identity.chain_pem_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == [host]


@pytest.mark.parametrize("what", ["lost", "damaged", "old", "renamed"])
def test_a_certificate_that_is_no_use_is_made_anew_for_the_same_key(tmp_path: Path, what: str) -> None:
    """No device notices: the pin stays."""
    first = ensure(tmp_path, "vpn.example.org", now=NOW)
    before = first.chain_pem_path.read_bytes()
    if what == "lost":
        first.chain_pem_path.unlink()
    elif what == "damaged":
        first.chain_pem_path.write_bytes(before[:200])
    host = "other.example.org" if what == "renamed" else "vpn.example.org"
    now = NOW + 11 * YEARS if what == "old" else NOW
    again = ensure(tmp_path, host, now=now)
    assert again.pin == first.pin
    assert again.chain_pem_path.read_bytes() != before
    assert problem(again, now) is None


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    """A new one would lock every device out: the sentence says so."""
    identity = ensure(tmp_path, "vpn.example.org", now=NOW)
    identity.key_path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n")
    before = identity.key_path.read_bytes()
    with pytest.raises(CertificateError, match=r"certificate\.key .* enrolled anew"):
        ensure(tmp_path, "vpn.example.org", now=NOW)
    assert identity.key_path.read_bytes() == before
    assert "damaged" in (problem(identity, NOW) or "")


def test_own(tmp_path: Path) -> None:
    """The administrator's files are used where they lie; a key that isn't the certificate's is refused."""
    one, other = ensure(tmp_path / "1", "a.example", now=NOW), ensure(tmp_path / "2", "a.example", now=NOW)
    assert own(one.chain_pem_path, one.key_path) == one
    with pytest.raises(CertificateError, match="isn't that of the certificate"):
        own(one.chain_pem_path, other.key_path)
    with pytest.raises(CertificateError, match="can't be read: No such file"):
        own(tmp_path / "none", one.key_path)
    with pytest.raises(CertificateError, match="no certificate in PEM"):
        own(one.key_path, one.key_path)


def test_a_key_with_a_password(tmp_path: Path) -> None:
    """Nobody sits there to type it."""
    identity = ensure(tmp_path, "a.example", now=NOW)
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    identity.key_path.write_bytes(locked)
    with pytest.raises(CertificateError, match="has a password"):
        own(identity.chain_pem_path, identity.key_path)


def test_problem(tmp_path: Path) -> None:
    """Too old, too early, exchanged: each has its sentence for the doctor."""
    identity = ensure(tmp_path, "a.example", now=NOW)
    assert "ended on 2037-" in (problem(identity, NOW + 10.1 * YEARS) or "")
    assert "is the clock right?" in (problem(identity, NOW - YEARS) or "")
    key = ed25519.Ed25519PrivateKey.generate()
    identity.key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    ensure(tmp_path, "a.example", now=NOW)
    assert "another one than devices know" in (problem(identity, NOW) or "")


def test_what_tls_cannot_use_is_said(tmp_path: Path) -> None:
    """Found when the server begins, not at the first device."""
    identity = ensure(tmp_path, "a.example", now=NOW)
    identity.chain_pem_path.write_bytes(b"nothing")
    with pytest.raises(CertificateError, match="TLS doesn't take"):
        context(identity)
