"""The programs for Windows with Python and all their libraries, by PyInstaller on Windows' Python under Wine.

PyInstaller takes what it finds, so it runs on a Python of its own that has what the bundles need and nothing else.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from tools import bundle_check, dist
from tools.bundles import Bundle
from tools.console import ROOT, VENV, Word, give_up, run, timed
from tools.setup import MEMBERS, UV
from tools.stamps import digest, is_done, mark_done
from tools.windows import judge, python, wine
from tools.windows.bundles import BUNDLES

FOLDER = wine.HOME / "freeze"
PYTHON = FOLDER / "python"
SITE = PYTHON / "Lib/site-packages"
PREFIX = FOLDER / "prefix"
"""Wine's, for this alone: PyInstaller asks what the system has."""
SPEC = ROOT / "installers/windows/bundle.spec"
PACKAGES = [
    *("altgraph", "packaging", "pefile", "pyinstaller", "pyinstaller-hooks-contrib", "pywin32-ctypes", "setuptools"),
    *("bidict", "bottle", "cffi", "clr-loader", "cryptography", "desktop-notifier", "dnspython", "jaraco-classes"),
    *(
        "jaraco-context",
        "jaraco-functools",
        "keyring",
        "more-itertools",
        "msgspec",
        "pillow",
        "pycparser",
    ),
    *("pystray", "pythonnet", "pywebview", "pywin32", "six", "structlog", "typing-extensions"),
    *("winrt-runtime", "winrt-windows-applicationmodel-core", "winrt-windows-data-xml-dom", "winrt-windows-foundation"),
    *("winrt-windows-foundation-collections", "winrt-windows-storage-streams", "winrt-windows-ui-notifications"),
]
"""PyInstaller's own, then the bundles': tools/windows/judge.py ends the build where one is missing."""


def freeze(into: Path) -> dict[str, Path]:
    """The bundles, made below `into`: name → folder.

    Raises `SystemExit` with a sentence for what isn't built, or a bundle that isn't as it must be.
    """
    wine.ensure(PREFIX)
    _python()
    try:
        return {name: _freeze(bundle, into) for name, bundle in BUNDLES.items()}
    finally:
        wine.end(PREFIX)


def _python() -> None:
    """A second Python of the same files; the packages from the lock file, ours from the checkout."""
    key = digest([python.LOCKED, ROOT / "tools/windows/python.py", ROOT / "tools/windows/freeze.py"])
    if not is_done("windows-freezer", key) or not (PYTHON / "python.exe").is_file():
        with timed("a Python that freezes"):
            shutil.rmtree(PYTHON, ignore_errors=True)
            shutil.copytree(
                wine.PYTHON,
                PYTHON,
                copy_function=os.link,
                ignore=shutil.ignore_patterns("site-packages", "__pycache__"),
            )
            python.install(SITE, PACKAGES)
            # Its makers have published no wheel: it is what `make setup` has built of the locked source, pure Python.
            for path in sorted((VENV / "lib").glob("python3.*/site-packages/proxy_tools*")):
                shutil.copytree(path, SITE / path.name)
        mark_done("windows-freezer", key)
    members = [f"./{name}" for name in MEMBERS]
    words: list[Word] = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--reinstall",
        "--target",
        SITE,
    ]
    run([*words, "--python", VENV / "bin/python", "--link-mode", "copy", *members])
    engine = SITE / "slopn_engine"
    shutil.rmtree(engine, ignore_errors=True)
    shutil.copytree(wine.PYTHON / "Lib/site-packages/slopn_engine", engine)
    _metadata("slopn_engine", dist.version())


def _metadata(name: str, version: str) -> None:
    """That a package is installed, as `importlib.metadata` reads it."""
    folder = SITE / f"{name}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
    (folder / "RECORD").write_text(f"{name}/__init__.py,,\n{name}/_engine.pyd,,\n{name}/wintun.dll,,\n")


def _freeze(bundle: Bundle, into: Path) -> Path:
    folder = into / bundle.name
    with timed(f"freezing {bundle.name}"), TemporaryDirectory(dir=FOLDER) as work:
        shutil.rmtree(folder, ignore_errors=True)
        into.mkdir(parents=True, exist_ok=True)
        environment = {
            "PYTHONHASHSEED": "0",
            "SOURCE_DATE_EPOCH": str(dist.epoch()),
            "PYINSTALLER_CONFIG_DIR": windows(Path(work) / "configuration"),
            "SLOPN_BUNDLE": bundle.name,
            "SLOPN_VERSION": dist.version(),
        }
        words = ["-m", "PyInstaller", "--noconfirm", "--log-level=ERROR", f"--distpath={windows(into)}"]
        argv: list[Word] = [PYTHON / "python.exe", *words, f"--workpath={windows(Path(work))}", windows(SPEC)]
        if wine.call(argv, env=environment, prefix=PREFIX) != 0:
            give_up(f"PyInstaller did not freeze {bundle.name} for Windows: see above.")
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE.txt")
    bundle_check.refuse(folder, judge.findings(bundle, folder))
    return folder


def windows(path: Path) -> str:
    """A path of this machine as Wine's programs name it."""
    return "Z:" + str(PurePosixPath(path)).replace("/", "\\")
