from __future__ import annotations

import os
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519

from slopn_helper.ipc.certificates import LIFETIME, ClientCertificate, make_authority, make_client, make_server, pem
from slopn_helper.ipc.pki import Authority
from support.certificates import Key, Shown, client_context, handshake, new_key, request_for, self_signed, use


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that was made a day ago."""
    return Authority.open(tmp_path, time.time() - 24 * 3600, os.geteuid())


def shown(authority: Authority, now: float | None = None, key: Key | None = None, device: str = "d3v1ce") -> Shown:
    """What a front end shows that was paired at `now`."""
    key = new_key() if key is None else key
    return Shown(key, authority.issue(request_for(key), device, time.time() if now is None else now).certificate)


@pytest.mark.parametrize("key", [new_key(), ed25519.Ed25519PrivateKey.generate()], ids=["P-256", "Ed25519"])
def test_a_paired_front_end_is_known_by_its_certificate(authority: Authority, key: Key) -> None:
    """Both ends agree on TLS 1.3, and the helper learns device and serial."""
    outcome = handshake(authority.server_context(), client_context(authority.certificate, shown(authority, key=key)))
    assert isinstance(outcome.server, ClientCertificate)
    assert (outcome.server.device, outcome.client) == ("d3v1ce", "TLSv1.3")


def test_a_front_end_without_a_certificate_gets_in_without_a_name(authority: Authority) -> None:
    """It must be able to ask to be paired."""
    assert handshake(authority.server_context(), client_context(authority.certificate)) == (None, "TLSv1.3")


def test_a_certificate_outlives_a_restart_of_the_helper(authority: Authority, tmp_path: Path) -> None:
    """The next run has another server key, and the same authority at both ends."""
    paired = shown(authority)
    restarted = Authority.open(tmp_path, time.time(), os.geteuid())
    outcome = handshake(restarted.server_context(), client_context(authority.certificate, paired))
    assert isinstance(outcome.server, ClientCertificate)


def refused(authority: Authority, client: ssl.SSLContext) -> str:
    """What the server says of a client that it doesn't let in."""
    outcome = handshake(authority.server_context(), client)
    assert isinstance(outcome.server, ssl.SSLError), outcome
    assert isinstance(outcome.client, OSError), outcome
    return str(outcome.server)


def test_a_self_signed_certificate_is_refused(authority: Authority) -> None:
    """Whatever names it bears: TLS itself turns it away."""
    assert "verify failed" in refused(authority, client_context(authority.certificate, self_signed("d3v1ce")))


def test_another_authoritys_certificate_is_refused(authority: Authority, tmp_path: Path) -> None:
    """One of another helper, or of this one before it lost its key, with the same names."""
    other = Authority.open(tmp_path / "other", time.time(), os.geteuid())
    assert "verify failed" in refused(authority, client_context(authority.certificate, shown(other)))


def test_a_certificate_signed_by_a_front_end_is_refused(authority: Authority) -> None:
    """A front end's key is no authority's, though its chain leads to ours."""
    parent_key, key = new_key(), new_key()
    parent = authority.issue(request_for(parent_key), "parent", time.time()).certificate
    signer = x509.load_pem_x509_certificate(parent.encode())
    child = make_client(signer, parent_key, key.public_key(), "d3v1ce", time.time()).certificate
    message = refused(authority, client_context(authority.certificate, Shown(key, child + parent)))
    assert "invalid CA certificate" in message


def server_certificate(authority: Authority) -> Shown:
    """One like the helper's own, with its key."""
    key = new_key()
    own = make_server(authority._certificate, authority._key, key.public_key(), time.time())
    return Shown(key, pem(own))


def test_the_servers_certificate_is_no_clients(authority: Authority) -> None:
    """It is for the other purpose, so even with its key nobody gets in by it."""
    client = client_context(authority.certificate, server_certificate(authority))
    assert "unsuitable certificate purpose" in refused(authority, client)


def test_a_clients_certificate_is_no_servers(authority: Authority) -> None:
    """A paired front end can't play the helper to others: neither purpose nor name fit."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    stolen = shown(authority)
    client = client_context(authority.certificate)
    use(server, stolen)
    client.check_hostname = False
    outcome = handshake(server, client)
    assert isinstance(outcome.client, ssl.SSLError)
    assert "unsuitable certificate purpose" in str(outcome.client)


def test_a_stolen_certificate_without_its_key_is_worth_nothing(authority: Authority) -> None:
    """TLS proves the key: OpenSSL won't even load another one."""
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        client_context(authority.certificate, Shown(new_key(), shown(authority).certificate))


def test_older_tls_is_refused(authority: Authority) -> None:
    """TLS 1.3 or nothing."""
    client = client_context(authority.certificate, shown(authority))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert "unsupported protocol" in refused(authority, client)


@pytest.mark.parametrize("ago", [LIFETIME + 3600, -10 * LIFETIME], ids=["expired", "not yet valid"])
def test_dates_are_not_for_tls_to_judge(authority: Authority, ago: float) -> None:
    """The certificate comes through with its dates, for the registry to judge by a clock that may be wrong."""
    made = Authority(authority._key, make_authority(authority._key, time.time() - 2 * LIFETIME))
    paired = shown(made, time.time() - ago)
    outcome = handshake(made.server_context(), client_context(made.certificate, paired))
    assert isinstance(outcome.server, ClientCertificate)
    assert outcome.client == "TLSv1.3"
    if ago > 0:
        assert outcome.server.not_after < time.time()
    else:
        assert outcome.server.not_before > time.time()


def test_no_session_is_resumed(authority: Authority) -> None:
    """Every connection shows its certificate anew: the server hands out no tickets."""
    context = authority.server_context()
    assert context.num_tickets == 0
    assert handshake(context, client_context(authority.certificate, shown(authority))).client == "TLSv1.3"
    assert context.session_stats()["hits"] == 0


def test_the_servers_key_is_another_one_each_time(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made for one run and kept nowhere."""
    keys: list[object] = []

    def note(context: ssl.SSLContext, key: Key, certificate: str) -> None:
        keys.append(key)
        use(context, Shown(key, certificate))

    monkeypatch.setattr("slopn_helper.ipc.pki.load_chain", note)
    authority.server_context()
    authority.server_context()
    assert keys[0] != keys[1]
