"""Install the Debian packages that are missing, from the one list in apt-packages.txt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.console import CACHE, ROOT, as_root, give_up, output, run, say, timed

LIST = ROOT / "tools/apt-packages.txt"
RETRY = ["-o", "Acquire::Retries=5", "-o", "DPkg::Lock::Timeout=600"]
"""A mirror that fails is asked again, and somebody else's apt is waited for."""


def packages(group: str) -> list[str]:
    """The packages of one group in apt-packages.txt."""
    return [words[0] for words in entries(group)]


def entries(group: str) -> list[list[str]]:
    """As `packages`, with the words that follow a package's name."""
    lines = (line.split("#")[0].split() for line in LIST.read_text().splitlines())
    return [words[1:] for words in lines if words and words[0] == group]


def missing(names: Iterable[str]) -> list[str]:
    """Those of `names` that dpkg doesn't know as installed; see dpkg-query(1)."""
    if output(["dpkg-query", "--version"]) is None:
        give_up("This isn't a Debian or Ubuntu: install what tools/apt-packages.txt names by hand, then run again.")
    return [name for name in names if output(["dpkg-query", "-W", "-f=${db:Status-Status}", name]) != "installed"]


def candidate(name: str) -> str | None:
    """The version that apt would install, or None if it knows no such package."""
    text = output(["apt-cache", "policy", name]) or ""
    versions = [line.split()[1] for line in text.splitlines() if line.strip().startswith("Candidate:")]
    return versions[0] if versions and versions[0] != "(none)" else None


def install(names: list[str]) -> None:
    """Install these packages, with a fresh package list and without what apt only recommends."""
    if not names:
        return
    with timed(f"apt: installing {' '.join(names)}"):
        update()
        quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "-o", "Dpkg::Use-Pty=0", *RETRY]
        run(as_root([*quiet, "install", "--no-install-recommends", *names]), quiet=True)


def unpack(name: str, program: str | None = None) -> None:
    """Put a package's files into .cache/NAME/root without installing it, unless the system has `program` already.

    `program` is a path below the root of the file system.
    """
    root = CACHE / name / "root"
    if root.is_dir() or (program is not None and (Path("/") / program).exists()):
        return
    with timed(f"apt: unpacking {name} into .cache"), TemporaryDirectory(dir=CACHE) as folder:
        fetched = Path(folder)
        if output(["apt-get", "-qq", "download", name], cwd=fetched) is None:
            update()
            run(["apt-get", "-qq", "download", name], cwd=fetched, quiet=True)
        (package,) = fetched.glob("*.deb")
        run(["dpkg", "-x", package, fetched / "root"])
        root.parent.mkdir(exist_ok=True)
        (fetched / "root").rename(root)


def update() -> None:
    """Fetch the package lists, once in a run."""
    if not _updated:
        say("   fetching the package lists")
        run(as_root(["apt-get", "-qq", *RETRY, "update"]), quiet=True)
        _updated.append(Path("/var/lib/apt/lists"))


_updated: list[Path] = []
