"""`make deb`: a Debian package of the command line and the helper, with the virtual environment's own dependencies.

What goes into it stands under installers/linux. The same sources, virtual environment and SOURCE_DATE_EPOCH (else the time
of the last commit) give the same bytes.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

from tools.console import CACHE, ROOT, Word, give_up, output, run, timed
from tools.plain import SOURCES, copy_dependencies

FOLDER = CACHE / "deb"
LINUX = ROOT / "installers/linux"
LIBRARY = "usr/lib/slopn"
"""Where Python finds all of it: nobody else's packages are seen, and ours by nobody else."""
PLACES = {
    "units/slopn-helper.service": "usr/lib/systemd/system/slopn-helper.service",
    "units/slopn-early-block.service": "usr/lib/systemd/system/slopn-early-block.service",
    "units/sysusers.conf": "usr/lib/sysusers.d/slopn.conf",
    "units/sysctl.conf": "usr/lib/sysctl.d/50-slopn.conf",
    "units/tmpfiles.conf": "usr/lib/tmpfiles.d/slopn.conf",
    "bin/slopn": "usr/bin/slopn",
    "bin/slopn-helper": "usr/sbin/slopn-helper",
    "debian/postinst": "DEBIAN/postinst",
    "debian/prerm": "DEBIAN/prerm",
    "debian/postrm": "DEBIAN/postrm",
}
_PROGRAMS = ("usr/bin/", "usr/sbin/", "DEBIAN/")


def main() -> None:
    """Build it into .cache/deb."""
    with timed("Debian package"):
        package = build(FOLDER)
    sys.stdout.write(f"{package.relative_to(ROOT)}\n")


def build(folder: Path) -> Path:
    """The package, made in `folder`. Raises `SystemExit` with a sentence if a program that it takes fails."""
    folder.mkdir(parents=True, exist_ok=True)
    version = distribution("slopn-helper").version
    architecture = (output(["dpkg", "--print-architecture"]) or "").strip()
    if not architecture:
        give_up("`dpkg --print-architecture` failed: a Debian package is made on Debian or Ubuntu.")
    package = folder / f"slopn_{version}_{architecture}.deb"
    with tempfile.TemporaryDirectory(prefix="slopn-deb-") as made:
        stage = Path(made) / "stage"
        _fill(stage)
        (stage / "DEBIAN/control").write_text(_control(stage, version, architecture), encoding="utf-8")
        _settle(stage)
        argv: list[Word] = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z2", "--build", stage, package]
        run(argv, env={"SOURCE_DATE_EPOCH": _epoch()}, quiet=True)
    return package


def _fill(stage: Path) -> None:
    library = stage / LIBRARY
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name, source in SOURCES.items():
        shutil.copytree(ROOT / source, library / Path(source).name, ignore=ignore)
        copy_dependencies(name, library)
    for source, place in PLACES.items():
        (stage / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(LINUX / source, stage / place)


def _control(stage: Path, version: str, architecture: str) -> str:
    size = sum(path.stat().st_size for path in stage.rglob("*") if path.is_file())
    major, minor = sys.version_info[:2]
    return (
        (LINUX / "debian/control")
        .read_text(encoding="utf-8")
        .format(
            version=version,
            architecture=architecture,
            size=-(-size // 1024),
            python=f"{major}.{minor}",
            next_python=f"{major}.{minor + 1}",
        )
    )


def _settle(stage: Path) -> None:
    """Modes and times that don't depend on who builds, where and when."""
    stamp = int(_epoch())
    for path in sorted(stage.rglob("*"), reverse=True):
        name = path.relative_to(stage).as_posix()
        runs = path.is_dir() or (name.startswith(_PROGRAMS) and name != "DEBIAN/control")
        path.chmod(0o755 if runs else 0o644)
        os.utime(path, (stamp, stamp))
    stage.chmod(0o755)
    os.utime(stage, (stamp, stamp))


def _epoch() -> str:
    return os.environ.get("SOURCE_DATE_EPOCH") or (output(["git", "log", "-1", "--format=%ct"]) or "0").strip()


if __name__ == "__main__":
    main()
