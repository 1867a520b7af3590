from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.tiny_packages import EPOCH, Apt, Served, a_key, deb, served
from tools import repository
from tools.signing import Key


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    """One for all tests."""
    with a_key() as key:
        yield key


@pytest.fixture(scope="module")
def made(key: Key, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository."""
    folder = tmp_path_factory.mktemp("apt")
    return repository.apt([deb(folder)], key, folder / "apt", epoch=EPOCH)


@dataclass
class Shop:
    """A copy of the repository that a test may spoil, on the web, and an apt that trusts its key."""

    folder: Path
    web: Served
    apt: Apt

    @property
    def suite(self) -> Path:
        """Where what is signed stands."""
        return self.folder / "apt/dists/stable"


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Iterator[Shop]:
    """A new one for each test."""
    folder = tmp_path / "web"
    shutil.copytree(made, folder / "apt")
    keyring = shutil.copyfile(made / "slopn-archive-keyring.gpg", tmp_path / "slopn.gpg")
    with served(folder) as web:
        written = repository.sources(web.url)
        told = re.sub("Signed-By: .*", f"Signed-By: {keyring}", written)
        assert told != written
        yield Shop(folder, web, Apt.make(tmp_path / "root", told))


def test_apt_takes_what_is_signed(shop: Shop) -> None:
    """Lists come by their hashes, and the package with the key is there as well."""
    update = shop.apt("update")
    assert update.returncode == 0, update.stdout
    assert "W:" not in update.stdout
    assert [path for path in shop.web.asked if "/by-hash/SHA256/" in path]
    taken = shop.apt("download", "tiny", "slopn-archive-keyring")
    assert taken.returncode == 0, taken.stdout
    assert (shop.apt.root / "tiny_1.0_amd64.deb").read_bytes() == next(shop.folder.rglob("tiny_*.deb")).read_bytes()
    subprocess.run(["dpkg-deb", "-x", "slopn-archive-keyring_1_all.deb", "out"], cwd=shop.apt.root, check=True)
    keyring = shop.apt.root / "out/usr/share/keyrings/slopn-archive-keyring.gpg"
    assert keyring.read_bytes() == (shop.folder / "apt/slopn-archive-keyring.gpg").read_bytes()


def test_apt_refuses_a_tampered_package(shop: Shop) -> None:
    """One byte more is enough."""
    assert shop.apt("update").returncode == 0
    package = next(shop.folder.rglob("tiny_*.deb"))
    data = bytearray(package.read_bytes())
    data[-1] ^= 1
    package.write_bytes(data)
    taken = shop.apt("download", "tiny")
    assert taken.returncode != 0
    assert "Hash Sum mismatch" in taken.stdout
    assert not (shop.apt.root / "tiny_1.0_amd64.deb").exists()


def test_apt_refuses_tampered_metadata(shop: Shop) -> None:
    """Who changes what is signed breaks the signature."""
    release = shop.suite / "InRelease"
    release.write_text(release.read_text().replace("Label: SloPN", "Label: Other"))
    (shop.suite / "Release.gpg").unlink()
    assert_refused(shop, "BADSIG|invalid")


def test_apt_refuses_a_tampered_index(shop: Shop) -> None:
    """An index isn't signed itself: its hash is."""
    for index in [path for path in shop.suite.rglob("*") if path.is_file() and path.parent != shop.suite]:
        index.write_bytes(index.read_bytes()[:-1] + b"x")
    assert_refused(shop, "Hash Sum mismatch|unexpected size")


def test_apt_refuses_what_nobody_signed(shop: Shop) -> None:
    """A repository without signatures is none."""
    for name in ("InRelease", "Release.gpg"):
        (shop.suite / name).unlink()
    assert_refused(shop, "not signed")


def test_apt_refuses_a_stranger_s_signature(shop: Shop) -> None:
    """Signed-By means this key, and no other."""
    with a_key() as other:
        other.clearsign(shop.suite / "Release", shop.suite / "InRelease")
        other.detach(shop.suite / "Release", shop.suite / "Release.gpg")
    assert_refused(shop, "NO_PUBKEY")


def assert_refused(shop: Shop, why: str) -> None:
    """apt has said so, and can't be brought to install anything."""
    update = shop.apt("update")
    assert update.returncode != 0
    assert re.search(why, update.stdout), update.stdout
    assert shop.apt("download", "tiny").returncode != 0


def test_twice_is_the_same_but_for_signatures(made: Path, key: Key, tmp_path: Path) -> None:
    """So that anybody can compare."""
    again = repository.apt([deb(tmp_path)], key, tmp_path / "apt", epoch=EPOCH)
    signed = {"dists/stable/InRelease", "dists/stable/Release.gpg"}
    assert contents(made, signed) == contents(again, signed)
    assert {path for path in signed if (again / path).is_file()} == signed


def contents(folder: Path, but: set[str]) -> dict[str, bytes]:
    """Each file's bytes by its path."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in paths.items() if name not in but}


def test_what_was_there_stays_when_something_is_wrong(made: Path, key: Key, tmp_path: Path) -> None:
    """A file that is no package ends it with a sentence; nothing half made is left."""
    shutil.copytree(made, tmp_path / "apt")
    before = contents(tmp_path / "apt", set())
    wrong = tmp_path / "wrong.deb"
    wrong.write_bytes(gzip.compress(b"no package"))
    for packages in ([wrong], [], [tmp_path / "missing.deb"]):
        with pytest.raises(SystemExit):
            repository.apt(packages, key, tmp_path / "apt", epoch=EPOCH)
    assert contents(tmp_path / "apt", set()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["apt", "wrong.deb"]
