"""A certificate counts if our authority signed it for front ends, the registry knows it, and it hasn't run out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from attacks.answers import kind, shut_out
from attacks.field import Field
from attacks.forger import authority_of, dated, server_certificate, signed_by
from attacks.people import Person
from slopn_helper.ipc.pki import Authority
from slopn_wire.commands import GetSnapshot, Pair, Renew, RevokeDevice
from slopn_wire.events import Done, ErrorKind, Paired, Reply, Snapshot
from slopn_wire.greeting import HOST
from support.certificates import Shown, new_key, request_for, self_signed

DAY = timedelta(days=1)


def is_foreign(field: Field, mallory: Person, shown: Shown) -> None:
    """TLS ends with an alert, and the log says why."""
    with mallory.secured(shown) as line:
        assert shut_out(line)
    field.refused(mallory, "foreign_certificate")


def is_no_use(field: Field, mallory: Person, shown: Shown, why: str) -> None:
    """TLS stands, but there is nothing to be had but a new pairing."""
    with mallory.secured(shown) as line:
        assert kind(line.ask(GetSnapshot())) is ErrorKind.NOT_PAIRED
        assert kind(line.ask(Renew(request_for(new_key())))) is ErrorKind.NOT_PAIRED
    field.refused(mallory, *[why] * 3)


def test_self_signed(field: Field) -> None:
    """A certificate that the attacker has signed, which names a front end that there is.

    TLS refuses it: our authority's signature is missing.
    """
    mallory = field.user()
    is_foreign(field, mallory, self_signed(field.pair(mallory).device))


def test_other_authority(field: Field, tmp_path: Path) -> None:
    """A certificate of another helper's authority (of a reinstalled system, of another computer).

    TLS refuses it: each helper has its own authority.
    """
    mallory = field.user()
    held = field.pair(mallory)
    key = new_key()
    other = Authority.open(tmp_path, 0.0)
    is_foreign(field, mallory, Shown(key, other.issue(request_for(key), held.device, 0.0).certificate))


def test_server_certificate(field: Field) -> None:
    """A certificate that our authority made for a server is shown as a client's.

    TLS refuses it by its purpose (extended key usage).
    """
    is_foreign(field, field.user(), server_certificate(authority_of(field.state)))


def test_chain_below_front_end(field: Field) -> None:
    """A front end signs another certificate with its own, and shows the chain.

    TLS refuses it: a front end's certificate is no authority's.
    """
    mallory = field.user()
    is_foreign(field, mallory, signed_by(field.pair(mallory).shown))


def test_expired(field: Field) -> None:
    """A certificate that has run out.

    The helper judges its end by its own clock, and refuses all but pairing.
    """
    mallory = field.user()
    held = field.pair(mallory)
    is_no_use(field, mallory, dated(authority_of(field.state), held.shown, -2 * DAY, -DAY), "expired_certificate")


def test_unregistered(field: Field) -> None:
    """A certificate that our authority has signed, but no pairing (by a thief of its key who isn't root any more).

    The registry has no such front end.
    """
    mallory, key = field.user(), new_key()
    made = authority_of(field.state).issue(request_for(key), "0123456789abcdef", 2e9)
    is_no_use(field, mallory, Shown(key, made.certificate), "unknown_certificate")


def test_other_serial(field: Field) -> None:
    """A second certificate for a front end that is paired, signed by our authority, but never issued.

    The registry knows each certificate by its serial number.
    """
    mallory, key = field.user(), new_key()
    made = authority_of(field.state).issue(request_for(key), field.pair(mallory).device, 2e9)
    is_no_use(field, mallory, Shown(key, made.certificate), "replaced_certificate")


def test_revoked(field: Field) -> None:
    """A front end whose pairing was ended comes back with its old certificate.

    Refused all but pairing, which then asks for a number.
    """
    mallory = field.user()
    held = field.pair(mallory)
    assert field.ask_root(RevokeDevice(held.device)) == Done()
    is_no_use(field, mallory, held.shown, "revoked_certificate")


def test_revoked_in_the_middle(field: Field) -> None:
    """A front end's pairing is ended while it is connected.

    Its connection ends at once, and it is told why.
    """
    mallory = field.user()
    held = field.pair(mallory)
    with mallory.secured(held.shown) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)
        assert field.ask_root(RevokeDevice(held.device)) == Done()
        farewell = line.read()
        assert isinstance(farewell, Reply)
        assert kind(farewell.result) is ErrorKind.NOT_PAIRED
        assert line.read() is None
    field.refused(mallory, "revoked_certificate")


def test_replaced(field: Field) -> None:
    """A copy of the old key and certificate is used after the front end has renewed them.

    The old certificate ends when the new one is first used.
    """
    mallory, key = field.user(), new_key()
    held = field.pair(mallory)
    with mallory.secured(held.shown) as line:
        renewed = line.ask(Renew(request_for(key)))
    assert isinstance(renewed, Paired)
    with mallory.secured(Shown(key, renewed.certificate)) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)
    is_no_use(field, mallory, held.shown, "replaced_certificate")


def issued(field: Field, request: str) -> x509.Certificate:
    """What comes of a request, for root, who is paired in silence."""
    with field.line().secure() as line:
        paired = line.ask(Pair("liar", request))
    assert isinstance(paired, Paired), paired
    assert field.ask_root(RevokeDevice(paired.device)) == Done()
    return x509.load_pem_x509_certificate(paired.certificate.encode())


def test_authority_in_request(field: Field) -> None:
    """A certificate request that asks to be an authority (CA:TRUE, right to sign certificates).

    Of a request nothing counts but its key: the certificate is a front end's like any other.
    """
    asked = (
        x509.BasicConstraints(ca=True, path_length=None),
        x509.KeyUsage(True, True, True, True, True, True, True, False, False),
    )
    made = issued(field, request_for(new_key(), *asked))
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not made.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_names_in_request(field: Field) -> None:
    """A certificate request with foreign names: the helper's host, another front end's, purposes of a server.

    Of a request nothing counts but its key.
    """
    names = [x509.DNSName(HOST), x509.UniformResourceIdentifier("slopn-device:0123456789abcdef")]
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    made = issued(field, request_for(new_key(), x509.SubjectAlternativeName(names), purposes, name=HOST))
    found = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == []
    (device,) = found.get_values_for_type(x509.UniformResourceIdentifier)
    assert device != "slopn-device:0123456789abcdef"
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert HOST not in made.subject.rfc4514_string()


def test_kind_of_key(field: Field) -> None:
    """A certificate request with an RSA key, whose checking may take as long as its maker likes.

    Refused: keys are ECDSA over P-256, or Ed25519.
    """
    mallory = field.user()
    with mallory.secured() as line:
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it is to be refused
        assert kind(line.ask(Pair("rsa", request_for(key)))) is ErrorKind.INVALID
    assert field.devices(mallory.uid) == []
    field.refused(mallory, "pairing")


@pytest.mark.parametrize(
    "request_text",
    [
        "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 7000 + "\n-----END CERTIFICATE REQUEST-----\n",
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "\N{GRINNING FACE}" * 500,
    ],
    ids=["huge", "empty", "nothing", "no text"],
)
def test_broken_request(field: Field, request_text: str) -> None:
    """A certificate request that is huge, or none.

    Refused unread above 4,096 characters; what can't be read is refused without quoting it.
    """
    mallory = field.user()
    with mallory.secured() as line:
        assert kind(line.ask(Pair("broken", request_text))) is ErrorKind.INVALID
    field.refused(mallory, "pairing")


def test_request_for_foreign_key(field: Field) -> None:
    """A certificate request for somebody else's key, which the attacker doesn't have.

    Refused: a request must be signed by its own key.
    """
    mallory = field.user()
    honest = request_for(new_key())
    lines = honest.splitlines()
    spoilt = "\n".join([*lines[:-2], lines[-2][:-8] + "AAAAAA==", lines[-1], ""])
    with mallory.secured() as line:
        assert kind(line.ask(Pair("foreign", spoilt))) is ErrorKind.INVALID
    field.refused(mallory, "pairing")
