from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from slopn_helper import files
from slopn_helper.ipc.certificates import EARLY, LIFETIME, make_authority
from slopn_helper.ipc.pki import DIRECTORY, FILE, Authority
from slopn_helper.secrets import SecretError
from support.certificates import new_key, request_for

NOW = 1_800_000_000.0


def opened(state_dir: Path, now: float = NOW) -> Authority:
    """The authority, as of a start."""
    return Authority.open(state_dir, now, os.geteuid())


def stored(state_dir: Path) -> Path:
    """Where it lies."""
    return state_dir / DIRECTORY / FILE


def private(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """An authority's certificate for `key`, PEM."""
    return make_authority(key, NOW).public_bytes(serialization.Encoding.PEM)


def test_the_first_run_makes_an_authority_and_says_nothing_of_loss(tmp_path: Path) -> None:
    """Key and certificate lie in one file, 0600 in a directory 0700, whatever the umask."""
    before = os.umask(0)
    try:
        authority = opened(tmp_path)
    finally:
        os.umask(before)
    assert not authority.lost
    assert stored(tmp_path).stat().st_mode & 0o777 == 0o600
    assert stored(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in stored(tmp_path).parent.iterdir()] == [FILE]


def test_an_authority_outlives_the_helper(tmp_path: Path) -> None:
    """Another run has the same one, and what was issued before is signed by it."""
    first = opened(tmp_path)
    issued = first.issue(request_for(new_key()), "d", NOW)
    second = opened(tmp_path, NOW + 1e6)
    assert (second.certificate, second.fingerprint, second.made, second.lost) == (
        first.certificate,
        first.fingerprint,
        first.made,
        "",
    )
    authority = x509.load_pem_x509_certificate(second.certificate.encode())
    x509.load_pem_x509_certificate(issued.certificate.encode()).verify_directly_issued_by(authority)


def test_two_helpers_have_two_authorities(tmp_path: Path) -> None:
    """Nothing of a key is shared by default."""
    assert opened(tmp_path / "a").fingerprint != opened(tmp_path / "b").fingerprint


def forged(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The same with another signature than its own."""
    der = make_authority(key, NOW).public_bytes(serialization.Encoding.DER)
    changed = der[:-1] + bytes([der[-1] ^ 1])
    return x509.load_der_x509_certificate(changed).public_bytes(serialization.Encoding.PEM)


ONE, OTHER = new_key(), new_key()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00rubbish",
        private(ONE),
        certificate_of(ONE),
        private(ONE) + certificate_of(OTHER),
        private(ONE)[:-40] + certificate_of(ONE),
        private(ONE) + certificate_of(ONE)[:-60],
        private(ec.generate_private_key(ec.SECP384R1())) + certificate_of(ONE),
        private(ONE) + forged(ONE),
    ],
    ids=[
        "empty",
        "rubbish",
        "no certificate",
        "no key",
        "another's key",
        "half a key",
        "half a certificate",
        "P-384",
        "forged",
    ],
)
def test_a_damaged_authority_is_set_aside_and_replaced(tmp_path: Path, content: bytes) -> None:
    """The helper goes on with a new one and says that it lost the old one; the damaged file stays for inspection."""
    (tmp_path / DIRECTORY).mkdir(mode=0o700)
    files.write_file(stored(tmp_path), content)
    authority = opened(tmp_path)
    assert authority.lost == f"{FILE} was damaged and is set aside as {FILE}.corrupt-1"
    assert stored(tmp_path).with_name(f"{FILE}.corrupt-1").read_bytes() == content
    again = opened(tmp_path)
    assert (again.fingerprint, again.lost) == (authority.fingerprint, "")


def test_an_end_entity_is_no_authority(tmp_path: Path) -> None:
    """A front end's certificate with its key, put in the place of the authority, is taken for the damage it is."""
    key = new_key()
    issued = opened(tmp_path).issue(request_for(key), "d", NOW)
    files.write_file(stored(tmp_path), private(key) + issued.certificate.encode())
    assert "damaged" in opened(tmp_path).lost


def test_damage_never_overwrites_what_was_set_aside_before(tmp_path: Path) -> None:
    """The second damage has a number of its own."""
    opened(tmp_path)
    for content in (b"one", b"two"):
        files.write_file(stored(tmp_path), content)
        opened(tmp_path)
    aside = sorted(path.name for path in stored(tmp_path).parent.glob("*.corrupt-*"))
    assert aside == [f"{FILE}.corrupt-1", f"{FILE}.corrupt-2"]


def readable(path: Path) -> None:
    """The group may read the file."""
    path.chmod(0o640)


def open_to_others(path: Path) -> None:
    """Others may look into its directory."""
    path.parent.chmod(0o755)


def linked(path: Path) -> None:
    """A link leads to the file."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def a_directory(path: Path) -> None:
    """It is a directory of that name."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("expose", [readable, open_to_others, linked, a_directory])
def test_a_key_that_others_could_reach_is_used_no_more(tmp_path: Path, expose: object) -> None:
    """Who had the key could be anybody: a new authority is made, and the old one is told as lost."""
    before = opened(tmp_path)
    assert callable(expose)
    expose(stored(tmp_path))
    after = opened(tmp_path)
    assert after.fingerprint != before.fingerprint
    assert after.lost
    assert stored(tmp_path).stat().st_mode & 0o777 == 0o600
    assert stored(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    assert not opened(tmp_path).lost


def test_a_directory_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    """Nothing is kept where another user could read it, or could have put it."""
    (tmp_path / DIRECTORY).mkdir(mode=0o700)
    with pytest.raises(SecretError, match="not a plain directory"):
        Authority.open(tmp_path, NOW, os.geteuid() + 1)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No authority that the next run wouldn't know is used."""

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    (tmp_path / DIRECTORY).mkdir(mode=0o700)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SecretError, match="could not be written: No space"):
        opened(tmp_path)
    assert not list((tmp_path / DIRECTORY).iterdir())


def test_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    """A half-written file may hold a key: it goes at the next start."""
    (tmp_path / DIRECTORY).mkdir(mode=0o700)
    (tmp_path / DIRECTORY / ".tmp-0123").write_bytes(private(ONE))
    opened(tmp_path)
    assert [each.name for each in (tmp_path / DIRECTORY).iterdir()] == [FILE]


def test_a_clock_that_stands_too_early_issues_no_short_lived_certificate(tmp_path: Path) -> None:
    """Without a battery a clock begins in 1970: the certificate still lasts once it is set."""
    authority = opened(tmp_path)
    assert authority.made == NOW - EARLY
    assert authority.ends > NOW + 1000 * LIFETIME
    assert authority.issue(request_for(new_key()), "d", 3600.0).not_after >= NOW - EARLY + LIFETIME - 1


def test_no_repr_shows_a_key(tmp_path: Path) -> None:
    """An authority in a log or a traceback is its fingerprint."""
    authority = opened(tmp_path)
    assert repr(authority) == f"Authority({authority.fingerprint})"
