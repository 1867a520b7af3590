from __future__ import annotations

import base64
import contextlib
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ipc import certificates
from slopn_helper.ipc.certificates import EARLY, LIFETIME, MAX_REQUEST, Issued, make_authority, make_client, make_server
from support.certificates import Key, new_key, request_for

KEY = new_key()
NOW = 1_800_000_000.4
AUTHORITY = make_authority(KEY, NOW)
REQUEST = request_for(KEY)


def issue(request: str, now: float = NOW) -> Issued:
    """A certificate for the key in `request`."""
    return make_client(AUTHORITY, KEY, certificates.read_request(request), "d3v1ce", now)


def parsed(issued: Issued) -> x509.Certificate:
    """What stands in it."""
    return x509.load_pem_x509_certificate(issued.certificate.encode())


@pytest.mark.parametrize("key", [new_key(), ed25519.Ed25519PrivateKey.generate()], ids=["P-256", "Ed25519"])
def test_a_front_end_gets_a_certificate_for_its_key(key: Key) -> None:
    """The key is the request's, the signature the authority's, the device stands in it, and it can be read again."""
    issued = issue(request_for(key))
    certificate = parsed(issued)
    certificate.verify_directly_issued_by(AUTHORITY)
    assert certificate.public_key() == key.public_key()
    read = certificates.read_client(certificate.public_bytes(serialization.Encoding.DER))
    assert read == certificates.ClientCertificate(issued.serial, "d3v1ce", issued.not_before, issued.not_after)


def test_a_certificate_lasts_a_year_and_begins_an_hour_early() -> None:
    """In whole seconds, as the format has them."""
    issued = issue(request_for(new_key()))
    assert (issued.not_before, issued.not_after) == (int(NOW - EARLY), int(NOW + LIFETIME))


def test_each_certificate_has_a_serial_of_its_own() -> None:
    """The registry tells certificates by it, also those of one key."""
    request = request_for(new_key())
    assert issue(request).serial != issue(request).serial


def test_what_a_request_wishes_for_is_ignored() -> None:
    """Asked to be an authority, a server and another device, it becomes a plain client under the helper's own name."""
    wishes = (
        x509.BasicConstraints(ca=True, path_length=None),
        x509.SubjectAlternativeName(
            [x509.UniformResourceIdentifier("slopn-device:other"), x509.DNSName("helper.slopn")]
        ),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    )
    wishful = parsed(issue(request_for(new_key(), *wishes, name="SloPN helper's authority")))
    plain = parsed(issue(request_for(new_key())))
    assert wishful.subject == plain.subject
    kinds = (x509.BasicConstraints, x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.KeyUsage)
    for kind in kinds:
        assert wishful.extensions.get_extension_for_class(kind) == plain.extensions.get_extension_for_class(kind)
    assert len(list(wishful.extensions)) == len(list(plain.extensions))
    assert not wishful.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(wishful.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]


@pytest.mark.parametrize(
    ("key", "word"),
    [
        (rsa.generate_private_key(65537, 2048), "another kind of key"),
        (ec.generate_private_key(ec.SECP384R1()), "another kind of key"),
    ],
    ids=["RSA", "P-384"],
)
def test_other_kinds_of_keys_are_refused(key: Key, word: str) -> None:
    """What isn't P-256 or Ed25519 gets no certificate, however good it is."""
    with pytest.raises(ValueError, match=word):
        issue(request_for(key))


def test_a_request_for_somebody_elses_key_is_refused() -> None:
    """It must be signed by the key it is for: else one could have a key certified that one doesn't hold."""
    mine, theirs = new_key(), new_key()
    der = x509.load_pem_x509_csr(request_for(mine).encode()).public_bytes(serialization.Encoding.DER)
    encoding = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = der.replace(mine.public_key().public_bytes(*encoding), theirs.public_key().public_bytes(*encoding))
    assert forged != der
    text = x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(ValueError, match="isn't signed by its own key"):
        issue(text)


@pytest.mark.parametrize(
    "request_pem",
    [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\n" + "\x00\n-----END CERTIFICATE REQUEST-----\n",
        "ä" * 100,
    ],
)
def test_rubbish_is_refused_in_a_sentence(request_pem: str) -> None:
    """What isn't a request is a mistake of the asker's, not a defect of ours."""
    with pytest.raises(ValueError, match="can't be read"):
        issue(request_pem)


def test_a_huge_request_is_not_even_parsed() -> None:
    """A request above the limit is refused for its size, although it is a good one."""
    padding = x509.SubjectAlternativeName([x509.DNSName("a" * 60)] * 100)
    with pytest.raises(ValueError, match=f"at most {MAX_REQUEST}"):
        issue(request_for(new_key(), padding))


@given(st.binary(max_size=200), st.integers(0, 400))
def test_a_mangled_request_never_breaks_out(noise: bytes, place: int) -> None:
    """Whatever bytes come, the answer is a certificate or a `ValueError`."""
    der = x509.load_pem_x509_csr(REQUEST.encode()).public_bytes(serialization.Encoding.DER)
    mangled = der[:place] + noise + der[place + len(noise) :]
    body = base64.encodebytes(mangled).decode()
    with contextlib.suppress(ValueError):
        issue(f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n")


@pytest.mark.parametrize("now", [-1e12, 0.0, 1.0, 4e9, 1e15])
def test_any_clock_gives_a_certificate(now: float) -> None:
    """A clock that stands before 1970 or after 9999 is no reason to break down."""
    issued = issue(request_for(new_key()), now)
    assert 0 <= issued.not_before <= issued.not_after
    assert make_authority(KEY, now).not_valid_after_utc.year == 9999


def test_an_authority_can_sign_end_entities_alone() -> None:
    """A path of length 0, and no other use: what it signs can't sign in turn."""
    assert AUTHORITY.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(
        ca=True, path_length=0
    )
    usage = AUTHORITY.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.digital_signature) == (True, False)


def test_a_certificate_without_a_device_is_no_front_ends() -> None:
    """The server's own names none."""
    server = make_server(AUTHORITY, KEY, new_key().public_key(), time.time())
    assert certificates.read_client(server.public_bytes(serialization.Encoding.DER)) is None
