"""`make freeze`: the programs with Python and all their libraries in one folder each, by PyInstaller, checked.

Sources, virtual environment and SOURCE_DATE_EPOCH (else the time of the last commit) that are the same give the same bytes.
`python -m tools.freeze check FOLDER…` looks at bundles that are there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

from tools import bundle_check, freeze_engine, sbom
from tools.bundles import BUNDLES, Bundle
from tools.console import CACHE, ROOT, VENV, Word, output, run, say, timed

FOLDER = CACHE / "freeze"
SPEC = ROOT / "installers/freeze/bundle.spec"
_PROGRAM_MODE, _FILE_MODE = 0o755, 0o644


def main() -> None:
    """Freeze all into .cache/freeze/bundles, or check the folders that are named."""
    if sys.argv[1:2] == ["check"]:
        for word in sys.argv[2:]:
            _judge(BUNDLES[Path(word).resolve().name], Path(word))
        return
    for name, folder in freeze(FOLDER / "bundles").items():
        say(f"   {name}: {folder.relative_to(ROOT)}, {bundle_check.size(folder) / 2**20:.1f} MiB")


def freeze(into: Path) -> dict[str, Path]:
    """The three bundles, made below `into`: name → folder, to stand as /usr/lib/slopn/NAME.

    Raises `SystemExit` with a sentence for what isn't built, a program that fails, or a bundle that isn't as it must be.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with timed("the engine, to be shipped"):
            engine = freeze_engine.build(FOLDER / "engine-package")
        return {name: _freeze(bundle, engine, into) for name, bundle in BUNDLES.items()}


def epoch() -> str:
    """SOURCE_DATE_EPOCH: as it is given, else the time of the last commit."""
    return os.environ.get("SOURCE_DATE_EPOCH") or (output(["git", "log", "-1", "--format=%ct"]) or "0").strip()


def _freeze(bundle: Bundle, engine: Path, into: Path) -> Path:
    folder, work = into / bundle.name, FOLDER / "work" / bundle.name
    with timed(f"freezing {bundle.name}"):
        for old in (folder, work):
            shutil.rmtree(old, ignore_errors=True)
        work.mkdir(parents=True)
        # Nothing of the person's environment: what PyInstaller finds there would be in the bundle.
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(work),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOURCE_DATE_EPOCH": epoch(),
            "PYINSTALLER_CONFIG_DIR": str(work / "configuration"),
            "SLOPN_BUNDLE": bundle.name,
            "SLOPN_ENGINE": str(engine),
        }
        argv: list[Word] = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        argv += [VENV / "bin/python", "-m", "PyInstaller", "--noconfirm", "--log-level=ERROR"]
        run([*argv, f"--distpath={into}", f"--workpath={work}", SPEC], quiet=True)
        sbom.write(bundle, folder, int(epoch()))
        _settle(folder, set(bundle.programs))
        _judge(bundle, folder)
    return folder


def _judge(bundle: Bundle, folder: Path) -> None:
    # What can't be shipped isn't started either.
    bundle_check.refuse(folder, bundle_check.findings(bundle, folder) or bundle_check.silent(bundle, folder))


def _settle(folder: Path, programs: set[str]) -> None:
    """Modes and times that don't depend on who builds, where and when."""
    stamp = int(epoch())
    for path in (*sorted(folder.rglob("*"), reverse=True), folder):
        if not path.is_symlink():
            runs = path.is_dir() or (path.parent == folder and path.name in programs)
            path.chmod(_PROGRAM_MODE if runs else _FILE_MODE)
        os.utime(path, (stamp, stamp), follow_symlinks=False)


if __name__ == "__main__":
    main()
