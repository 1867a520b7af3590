from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.tiny_packages import EPOCH, a_key, rpm
from tools import repository
from tools.signing import Key


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    """One for all tests."""
    with a_key() as key:
        yield key


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is before anybody signs it."""
    return rpm(tmp_path_factory.mktemp("rpm"))


@pytest.fixture(scope="module")
def made(key: Key, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository."""
    return repository.dnf([package], key, tmp_path_factory.mktemp("dnf") / "dnf", epoch=EPOCH)


def is_good(package: Path, made: Path, database: Path) -> bool:
    """What rpm says of a package, with the repository's key alone, where every package must be signed."""
    rpmkeys = ["rpmkeys", "--dbpath", str(database)]
    subprocess.run([*rpmkeys, "--import", str(made / repository.RPM_KEY)], check=True)
    check = [*rpmkeys, "--define", "_pkgverify_level all", "--checksig", str(package)]
    return subprocess.run(check, check=False, capture_output=True).returncode == 0


def is_signed(metadata: Path, key: Key) -> bool:
    """Whether repomd.xml.asc is this key's word on repomd.xml."""
    verify = ["gpg", "--batch", "--verify", f"{metadata}.asc", str(metadata)]
    return subprocess.run(verify, env=key.env, check=False, capture_output=True).returncode == 0


def test_packages_are_signed(made: Path, package: Path, tmp_path: Path) -> None:
    """The one in the repository is, the one that came in isn't, and one that was changed isn't any more."""
    signed = made / package.name
    assert is_good(signed, made, tmp_path / "one")
    assert not is_good(package, made, tmp_path / "two")
    data = bytearray(signed.read_bytes())
    data[-1] ^= 1
    changed = tmp_path / "changed.rpm"
    changed.write_bytes(data)
    assert not is_good(changed, made, tmp_path / "three")


def test_metadata_are_signed_and_tell_the_packages_hash(made: Path, key: Key, tmp_path: Path) -> None:
    """From the signature over repomd.xml down to the package."""
    metadata = made / "repodata/repomd.xml"
    assert is_signed(metadata, key)
    (primary,) = metadata.parent.glob("*primary.xml.gz")
    assert hashlib.sha256(primary.read_bytes()).hexdigest() in metadata.read_text()
    text = subprocess.run(["zcat", primary], check=True, capture_output=True, text=True).stdout
    (package,) = made.glob("*.rpm")
    assert hashlib.sha256(package.read_bytes()).hexdigest() in text
    copied = Path(shutil.copytree(metadata.parent, tmp_path / "repodata")) / "repomd.xml"
    copied.write_text(copied.read_text().replace("<revision>1", "<revision>2"))
    assert not is_signed(copied, key)


def test_dnf_is_told_to_check_both(made: Path) -> None:
    """Packages, and metadata; by the key that lies beside them."""
    told = dict(line.split("=", 1) for line in (made / "slopn.repo").read_text().splitlines() if "=" in line)
    assert (told["gpgcheck"], told["repo_gpgcheck"]) == ("1", "1")
    assert (made / told["gpgkey"].removeprefix(told["baseurl"]).lstrip("/")).is_file()


def test_only_signatures_make_a_difference(made: Path, package: Path, tmp_path: Path) -> None:
    """Without its signature the package is the one that came in; the metadata are of one time."""
    bare = Path(shutil.copyfile(made / package.name, tmp_path / package.name))
    subprocess.run(["rpmsign", "--delsign", bare], check=True, capture_output=True)
    digests = ["rpm", "--dbpath", str(tmp_path / "db"), "-qp", "--queryformat", "%{SHA256HEADER} %{PAYLOADDIGEST}"]
    told = [subprocess.run([*digests, str(path)], check=True, capture_output=True).stdout for path in (bare, package)]
    assert told[0] == told[1]
    metadata = (made / "repodata/repomd.xml").read_text()
    assert set(re.findall("<timestamp>(.*)</timestamp>", metadata)) == {str(EPOCH)}
