"""`make dist`: everything that a release consists of, in dist/: packages, signed repositories, lists of parts, sums, signatures.

Signed by the keys that the environment names (docs/releasing.md), else by throw-away ones. Twice from the same commit gives
the same bytes but for signatures, which are InRelease, Release.gpg, *.asc, *.minisig, and in dnf/ what holds or hashes them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from tools import repository
from tools.console import CACHE, ROOT, give_up, output, say, timed
from tools.project import MAINTAINER, NOBODYS, REPOSITORY_URL
from tools.signing import GPG_KEY, MINISIGN_KEY, Keys, keys

FOLDER = ROOT / "dist"
SUMS = "SHA256SUMS"
PUBLIC = "minisign.pub"
BOM = ".cdx.json"
"""How the name of a CycloneDX list of parts ends."""
PACKAGES = (".deb", ".rpm")


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(prog="make dist", description=__doc__)
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder (default: dist); what is in it is replaced")
    parser.add_argument("--built", type=Path, help="take packages and lists of parts from this folder, build none")
    parser.add_argument("--only-build", action="store_true", help="make packages and lists of parts, and sign nothing")
    parser.add_argument(
        "--url", default=os.environ.get("SLOPN_REPOSITORY_URL") or REPOSITORY_URL, help="of apt/ and dnf/"
    )
    parser.add_argument("--tag", help="this is a release: the tag must be the version's, and the keys real")
    told = parser.parse_args()
    into: Path = told.into.absolute()
    ours = version()
    if told.tag is not None:
        refuse_unready(told.tag, ours, told.url)
    # A commit made meanwhile would be another time.
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch())
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as folder:
        new = Path(folder) / into.name
        new.mkdir()
        if told.built is None:
            build(new)
        else:
            collect(told.built, new)
        if not told.only_build:
            pair = release_keys(told.tag)
            with timed("repositories, sums, signatures"):
                sign(new, pair, version=ours, epoch=epoch(), url=told.url)
            pair.gpg.close()
        shutil.rmtree(into, ignore_errors=True)
        new.rename(into)
    for line in inventory(into):
        say(line)


def build(into: Path) -> None:
    """Freeze the programs, and make the packages of them, with the list of parts of each beside it."""
    from tools import freeze, packages

    with tempfile.TemporaryDirectory(prefix="slopn-freeze-") as made:
        bundles = freeze.freeze(Path(made))
        found = packages.packages(bundles, into)
        architecture = found[0].stem.rpartition("_")[2]
        for name, bundle in bundles.items():
            lists = sorted(bundle.rglob(f"*{BOM}"))
            if len(lists) != 1:
                give_up(f"The bundle {name} has {len(lists)} lists of parts, not one: see tools/freeze.py.")
            shutil.copyfile(lists[0], into / f"{name}_{version()}_{architecture}{BOM}")


def collect(built: Path, into: Path) -> None:
    """Copy what other machines have built: packages and lists of parts, from all folders below `built`."""
    found = [path for path in sorted(built.rglob("*")) if path.name.endswith((*PACKAGES, BOM))]
    if not found:
        give_up(f"{built} has no packages: make some with `make dist ARGS=--only-build`.")
    for path in found:
        target = into / path.name
        if target.exists() and target.read_bytes() != path.read_bytes():
            give_up(f"{built} has two different files called {path.name}.")
        shutil.copyfile(path, target)


def refuse_unready(tag: str, version: str, url: str) -> None:
    """End with a sentence if a release of this tag would say what isn't so: its version, its address, who made it."""
    if tag != f"v{version}":
        give_up(f"The tag is {tag}, the version v{version}: change one of them (docs/releasing.md).")
    if (urlsplit(url).hostname or NOBODYS).endswith(NOBODYS):
        give_up(
            f"{url} is nobody's address: set SLOPN_REPOSITORY_URL to where apt/ and dnf/ will be (docs/releasing.md)."
        )
    if MAINTAINER.rstrip(">").endswith(NOBODYS):
        give_up(f"{MAINTAINER} is nobody's address: write yours into tools/project.py (docs/releasing.md).")


def release_keys(tag: str | None) -> Keys:
    """The environment's keys; for a release no others will do. Says so when they are thrown away."""
    if tag is not None and not (os.environ.get(GPG_KEY) and os.environ.get(MINISIGN_KEY)):
        give_up(f"A release needs real keys: set {GPG_KEY} and {MINISIGN_KEY} (docs/releasing.md).")
    found = keys(os.environ, CACHE / "dist-keys")
    if not found.real:
        say("   no keys in the environment: signed by throw-away ones, for tests alone")
    return found


def sign(folder: Path, pair: Keys, *, version: str, epoch: int, url: str) -> None:
    """Make apt/ and dnf/ in a folder of packages, SHA256SUMS of all files that lie in it, and a signature beside each."""
    debs, rpms = (sorted(folder.glob(f"*{suffix}")) for suffix in PACKAGES)
    repository.apt(debs, pair.gpg, folder / "apt", epoch=epoch, url=url, version=version)
    repository.dnf(rpms, pair.gpg, folder / "dnf", epoch=epoch, url=url)
    shutil.copyfile(folder / "apt" / f"{repository.KEYRING}.gpg", folder / f"{repository.KEYRING}.gpg")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    sums = folder / SUMS
    sums.write_text(checksums(files), encoding="utf-8")
    for path in (*files, sums):
        pair.minisign.sign(path, f"SloPN {version} {path.name}")
    shutil.copyfile(pair.minisign.public, folder / PUBLIC)


def checksums(files: Iterable[Path]) -> str:
    """As `sha256sum --check` reads them."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def inventory(folder: Path) -> list[str]:
    """A line for each thing there, with its size in bytes; signatures aren't named."""
    lines = [f"{folder}:"]
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            count = sum(1 for each in path.rglob("*") if each.is_file())
            lines.append(f"  {path.name}/ ({count} files)")
        elif path.suffix != ".minisig":
            lines.append(f"  {path.name} ({path.stat().st_size:,} bytes)")
    return lines


def version() -> str:
    """The product's, from the helper's pyproject: who signs has none of our packages installed."""
    read: str = tomllib.loads((ROOT / "helper/pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return read


def epoch() -> int:
    """SOURCE_DATE_EPOCH, or else the time of the last commit: seconds."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or output(["git", "log", "-1", "--format=%ct"], cwd=ROOT) or "0")


if __name__ == "__main__":
    main()
