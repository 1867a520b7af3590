from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from support.tiny_packages import EPOCH, a_key, deb, rpm
from tools import dist, same, signing
from tools.signing import Key, Keys


@pytest.fixture(scope="module")
def gpg() -> Iterator[Key]:
    """One for all tests."""
    with a_key() as key:
        yield key


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a machine that only builds has left."""
    folder = tmp_path_factory.mktemp("built")
    for package in (deb(folder), rpm(folder)):
        target = folder / "x/artefacts" / package.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package, target)
    (folder / "x/artefacts/tiny_1.0_amd64.cdx.json").write_text("{}")
    return folder / "x"


def signed(built: Path, keys: Keys, folder: Path) -> Path:
    """A release of it."""
    folder.mkdir()
    dist.collect(built, folder)
    dist.sign(folder, keys, version="1.0", epoch=EPOCH, url="https://slopn.example")
    return folder


def test_each_file_has_a_sum_and_a_signature(built: Path, gpg: Key, tmp_path: Path) -> None:
    """sha256sum and minisign agree; a file that is changed, or put in another's place, is found out."""
    keys = Keys(gpg, signing.throw_away_minisign(tmp_path / "keys"), real=False)
    folder = signed(built, keys, tmp_path / "dist")
    names = {path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".minisig"}
    bare = {name for name in names if name != dist.PUBLIC}
    assert {"tiny_1.0_amd64.deb", "tiny-1.0-1.noarch.rpm", "tiny_1.0_amd64.cdx.json", "SHA256SUMS"} < bare
    assert {path.name.removesuffix(".minisig") for path in folder.glob("*.minisig")} == bare
    assert sums_hold(folder)
    assert {name: is_signed(folder / name) for name in bare} == dict.fromkeys(bare, True)
    (folder / "tiny_1.0_amd64.deb").write_bytes(b"other")
    assert not sums_hold(folder)
    assert not is_signed(folder / "tiny_1.0_amd64.deb")
    comment = (folder / "SHA256SUMS.minisig").read_text().splitlines()[2]
    assert comment == "trusted comment: SloPN 1.0 SHA256SUMS"


def sums_hold(folder: Path) -> bool:
    """What sha256sum says."""
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    return subprocess.run(check, cwd=folder, check=False, capture_output=True).returncode == 0


def is_signed(file: Path) -> bool:
    """What minisign says, by the public key that lies beside."""
    verify = ["minisign", "-V", "-q", "-p", "minisign.pub", "-m", file.name]
    return subprocess.run(verify, cwd=file.parent, check=False, capture_output=True).returncode == 0


def test_twice_is_the_same_but_for_signatures(built: Path, gpg: Key, tmp_path: Path) -> None:
    """Names are the same, and bytes where no signature is in them."""
    keys = Keys(gpg, signing.throw_away_minisign(tmp_path / "keys"), real=False)
    one, two = (same.prints(signed(built, keys, tmp_path / name)) for name in ("one", "two"))
    assert same.differences(one, two) == []
    assert {"SHA256SUMS", "tiny-1.0-1.noarch.rpm", "dnf/tiny-1.0-1.noarch.rpm", "apt/dists/stable/Release"} <= set(one)
    (tmp_path / "two/tiny_1.0_amd64.deb").write_bytes(b"other")
    (tmp_path / "two/SHA256SUMS").unlink()
    found = same.differences(one, same.prints(tmp_path / "two"))
    assert found == ["only in the first: SHA256SUMS", "not the same: tiny_1.0_amd64.deb"]


def test_nobodys_address_is_in_no_release(capsys: pytest.CaptureFixture[str]) -> None:
    """As long as tools/project.py has it."""
    with pytest.raises(SystemExit):
        dist.refuse_unready("v1", "1", "https://slopn.org")
    assert "tools/project.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["--tag", "v99"], {}, "The tag is v99"),
        (["--tag", "right", "--url", "https://slopn.org"], {}, "A release needs real keys"),
        (["--tag", "right"], {}, "is nobody's address: set SLOPN_REPOSITORY_URL"),
        ([], {signing.GPG_KEY: "A" * 40}, "SLOPN_MINISIGN_KEY is not"),
        ([], {signing.GPG_KEY: "ABCDEF01", signing.MINISIGN_KEY: "x"}, "all 40 hexadecimal digits"),
        ([], {signing.GPG_KEY: "A" * 40, signing.MINISIGN_KEY: "no/such.key"}, "there is no "),
        (["--built", "/nowhere"], {}, "has no packages"),
    ],
)
def test_nothing_is_half_signed(
    words: list[str],
    environment: dict[str, str],
    said: str,
    built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A sentence says what is missing, and what was in the folder is still there."""
    into = tmp_path / "dist"
    into.mkdir()
    (into / "old").touch()
    right = [f"v{version('slopn-helper')}" if word == "right" else word for word in words]
    monkeypatch.setattr(sys, "argv", ["dist", "--into", str(into), "--built", str(built), *right])
    for name in (signing.GPG_KEY, signing.MINISIGN_KEY, "SLOPN_REPOSITORY_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
    monkeypatch.setattr(dist, "MAINTAINER", "Somebody <somebody@slopn.org>")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        dist.main()
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["dist", "old"]


@pytest.mark.long
def test_a_locked_key_takes_its_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the environment; a wrong one, or none, ends it instead of waiting for somebody. minisign takes ten seconds to unlock."""
    pair = [str(tmp_path / name) for name in ("minisign.pub", "minisign.key")]
    make = ["minisign", "-G", "-p", pair[0], "-s", pair[1]]
    subprocess.run(make, input="word\nword\n", text=True, check=True, capture_output=True)
    file = tmp_path / "file"
    file.write_text("text")
    named = {signing.GPG_KEY: "a" * 40, signing.MINISIGN_KEY: pair[1]}
    for password in ({}, {signing.MINISIGN_PASSWORD: "wrong"}):
        with pytest.raises(SystemExit):
            signing.keys({**named, **password}, tmp_path).minisign.sign(file, "file")
        assert "minisign" in capsys.readouterr().err
    found = signing.keys({**named, signing.MINISIGN_PASSWORD: "word"}, tmp_path)
    assert (found.real, found.gpg) == (True, Key("A" * 40))
    assert found.minisign.sign(file, "file").read_text().splitlines()[2] == "trusted comment: file"
