"""Signed repositories for apt and dnf, made of a folder of packages.

reprepro lays out the pool and writes the indices. The Release file is written here: reprepro knows neither by-hash nor
SOURCE_DATE_EPOCH. The same packages, key and time give the same bytes but for the signatures.

    python -m tools.repository FOLDER INTO    signs with the keys of docs/releasing.md, or with throw-away ones
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from tools.console import CACHE, Word, give_up, output, run, say, timed
from tools.project import MAINTAINER, REPOSITORY_URL
from tools.signing import Key, keys

KEYRING = "slopn-archive-keyring"
RPM_KEY = "RPM-GPG-KEY-slopn"
SUITE = "stable"
_FILES = ("Packages", "Packages.xz")


def main() -> None:
    """Make apt/ and dnf/ below INTO."""
    parser = argparse.ArgumentParser(prog="python -m tools.repository", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the .deb and .rpm are")
    parser.add_argument("into", type=Path, help="where apt/ and dnf/ shall stand; what is there is replaced")
    parser.add_argument(
        "--url", default=REPOSITORY_URL, help=f"address that apt/ and dnf/ will have (default: {REPOSITORY_URL})"
    )
    parser.add_argument("--epoch", type=int, default=int(os.environ.get("SOURCE_DATE_EPOCH", "0")), help="seconds")
    told = parser.parse_args()
    if not told.folder.is_dir():
        give_up(f"{told.folder} is no folder: name the one that has the packages.")
    pair = keys(os.environ, CACHE / "dist-keys")
    with timed("repositories"):
        apt(sorted(told.folder.glob("*.deb")), pair.gpg, told.into / "apt", epoch=told.epoch, url=told.url)
        dnf(sorted(told.folder.glob("*.rpm")), pair.gpg, told.into / "dnf", epoch=told.epoch, url=told.url)
    pair.gpg.close()
    say(f"   {told.into}, signed by {pair.gpg.fingerprint}" + ("" if pair.real else ", a throw-away key"))


def apt(
    packages: Sequence[Path], key: Key, into: Path, *, epoch: int, url: str = REPOSITORY_URL, version: str = "1"
) -> Path:
    """A repository with the suite `stable`, and slopn-archive-keyring in it. Raises `SystemExit` with a sentence.

    `epoch`: its date, seconds; apt refuses one that is older than what it has seen. `version`: the keyring package's.
    """
    _all_are(packages, ".deb")
    with _made(into) as new, tempfile.TemporaryDirectory(prefix="slopn-reprepro-") as folder:
        work = Path(folder)
        keyring = key.public(new / f"{KEYRING}.gpg")
        ours = keyring_package(keyring, work, version, epoch)
        architectures = sorted({_architecture(path) for path in packages} - {"all"}) or ["amd64"]
        conf = work / "base/conf/distributions"
        conf.parent.mkdir(parents=True)
        conf.write_text(
            f"Codename: {SUITE}\nComponents: main\nArchitectures: {' '.join(architectures)}\n"
            "DebIndices: Packages . .xz\n",
            encoding="utf-8",
        )
        reprepro: list[Word] = [
            "reprepro",
            "--basedir",
            work / "base",
            "--outdir",
            new.absolute(),
            "--component",
            "main",
        ]
        run([*reprepro, "includedeb", SUITE, *packages, ours], env={"SOURCE_DATE_EPOCH": str(epoch)}, quiet=True)
        suite = new / "dists" / SUITE
        release = suite / "Release"
        release.write_text(_release(suite, architectures, epoch), encoding="utf-8")
        key.clearsign(release, suite / "InRelease")
        key.detach(release, suite / "Release.gpg")
        run(["gpgv", "--keyring", keyring.absolute(), suite / "InRelease"], cwd=new, quiet=True)
        (new / "slopn.sources").write_text(sources(url), encoding="utf-8")
    return into


def dnf(packages: Sequence[Path], key: Key, into: Path, *, epoch: int, url: str = REPOSITORY_URL) -> Path:
    """A repository of packages that are signed themselves, with signed metadata. Raises `SystemExit` with a sentence."""
    _all_are(packages, ".rpm")
    with _made(into) as new:
        public = key.public(new / RPM_KEY, armor=True)
        copies = [Path(shutil.copyfile(path, new / path.name)) for path in packages]
        # Debian's rpm looks for a gpg2, which Debian hasn't.
        sign = ["rpmsign", "--define", f"__gpg {shutil.which('gpg')}", "--define", f"_gpg_name {key.fingerprint}"]
        run([*sign, "--addsign", *copies], env=key.env, quiet=True)
        for path in copies:
            # The metadata tell each file's time.
            os.utime(path, (epoch, epoch))
        _check_rpms(copies, public)
        create = ["createrepo_c", "--quiet", "--no-database", "--general-compress-type=gz", "--workers=1"]
        run([*create, f"--revision={epoch}", "--set-timestamp-to-revision", new], quiet=True)
        metadata = new / "repodata/repomd.xml"
        key.detach(metadata, metadata.with_name("repomd.xml.asc"))
        (new / "slopn.repo").write_text(repo_file(url), encoding="utf-8")
    return into


def keyring_package(keyring: Path, into: Path, version: str, epoch: int) -> Path:
    """The package that keeps the key in /usr/share/keyrings up to date; it changes no list of sources."""
    stage = into / "keyring"
    place = stage / "usr/share/keyrings" / keyring.name
    place.parent.mkdir(parents=True)
    (stage / "DEBIAN").mkdir()
    shutil.copyfile(keyring, place)
    (stage / "DEBIAN/control").write_text(
        f"Package: {KEYRING}\nVersion: {version}\nArchitecture: all\nMulti-Arch: foreign\nPriority: optional\n"
        f"Section: misc\nMaintainer: {MAINTAINER}\n"
        "Description: key of the SloPN repository\n"
        " apt judges by it what comes from the repository that names it in Signed-By,\n and nothing else.\n",
        encoding="utf-8",
    )
    for path in (stage, *stage.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    package = into / f"{KEYRING}_{version}_all.deb"
    build: list[Word] = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", stage, package]
    run(build, env={"SOURCE_DATE_EPOCH": str(epoch)}, quiet=True)
    return package


def sources(url: str) -> str:
    """/etc/apt/sources.list.d/slopn.sources: the key counts for this repository alone."""
    return (
        f"Types: deb\nURIs: {url.rstrip('/')}/apt\nSuites: {SUITE}\nComponents: main\n"
        f"Signed-By: /usr/share/keyrings/{KEYRING}.gpg\n"
    )


def repo_file(url: str) -> str:
    """/etc/yum.repos.d/slopn.repo: packages and metadata are both checked."""
    base = f"{url.rstrip('/')}/dnf"
    return f"[slopn]\nname=SloPN\nbaseurl={base}\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey={base}/{RPM_KEY}\n"


def _release(suite: Path, architectures: Sequence[str], epoch: int) -> str:
    """The text of Release, with each index put below by-hash as well: a mirror in the middle of a change hurts nobody."""
    sums = []
    for architecture in architectures:
        for name in _FILES:
            index = suite / "main" / f"binary-{architecture}" / name
            data = index.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            copy = index.parent / "by-hash/SHA256" / digest
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
            sums.append(f" {digest} {len(data)} {index.relative_to(suite).as_posix()}\n")
    return (
        f"Origin: SloPN\nLabel: SloPN\nSuite: {SUITE}\nCodename: {SUITE}\nDate: {formatdate(epoch, usegmt=True)}\n"
        f"Acquire-By-Hash: yes\nArchitectures: {' '.join(architectures)}\nComponents: main\n"
        f"Description: SloPN, a VPN\nSHA256:\n{''.join(sums)}"
    )


def _check_rpms(packages: Sequence[Path], public: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="slopn-rpmdb-") as database:
        keys_of: list[Word] = ["rpmkeys", "--dbpath", database]
        run([*keys_of, "--import", public], quiet=True)
        # Without a level a package that lacks its signature would pass by its digests.
        run([*keys_of, "--define", "_pkgverify_level all", "--checksig", *packages], quiet=True)


def _architecture(package: Path) -> str:
    found = output(["dpkg-deb", "--field", package, "Architecture"])
    if not found:
        give_up(f"{package} is no Debian package: dpkg-deb can't read it.")
    return found


def _all_are(packages: Sequence[Path], suffix: str) -> None:
    if not packages:
        give_up(f"There is no *{suffix} to make a repository of: build the packages first (`make packages`).")
    for path in packages:
        if path.suffix != suffix or not path.is_file():
            give_up(f"{path} is no {suffix} file.")


@contextmanager
def _made(into: Path) -> Iterator[Path]:
    """A new folder that takes the place of `into` once all went well."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as folder:
        new = Path(folder) / into.name
        new.mkdir()
        yield new
        shutil.rmtree(into, ignore_errors=True)
        new.rename(into)


if __name__ == "__main__":
    main()
