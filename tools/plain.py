"""The three bundles without PyInstaller: sources and the virtual environment's own dependencies, run by Debian's Python.

They take seconds instead of minutes and lie where frozen ones do, so that tests of the packages can begin by them. Nobody is
given them: they go with one version of Python alone.
"""

from __future__ import annotations

import py_compile
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from tools.console import ROOT, give_up

SOURCES = {
    "slopn-app": "app/src/slopn_app",
    "slopn-helper": "helper/src/slopn_helper",
    "slopn-wire": "helper/wire/src/slopn_wire",
    "slopn-engine": "helper/engine/python/slopn_engine",
}
"""Our own distributions, by name."""
INSTALLED = "/usr/lib/slopn"
_NOT_PACKED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "sboms")
"""What pip notes of its own doing, in each distribution's metadata, and lists for other tools."""
_DATA = {
    "assets/icons/rendered/hicolor": "slopn_app/assets/icons/rendered/hicolor",
    "assets/locale": "slopn_app/assets/locale",
}
_START = """#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "{inside}")

from {module} import main

sys.exit(main())
"""


class _Bundle(NamedTuple):
    wanted: str
    """A distribution of ours, perhaps with an extra."""
    programs: dict[str, str]
    """Each with the module whose `main` it calls."""


BUNDLES = {
    "slopn": _Bundle(
        "slopn-app[desktop]",
        {
            "slopn": "slopn_app.cli.main",
            "slopn-tray": "slopn_app.tray.main",
            "slopn-window": "slopn_app.window.main",
        },
    ),
    "slopn-helper": _Bundle("slopn-helper", {"slopn-helper": "slopn_helper.__main__"}),
    "slopn-gateway": _Bundle("slopn-helper[gateway]", {"slopn-gateway": "slopn_helper.gateway.__main__"}),
}


def plain(into: Path, names: tuple[str, ...] = tuple(BUNDLES)) -> dict[str, Path]:
    """The bundles `names`, made below `into`. Raises `SystemExit` with a sentence."""
    made = {}
    for name in names:
        made[name] = into / name
        _fill(name, BUNDLES[name], made[name])
    return made


def python() -> tuple[str, str]:
    """The Python that plain bundles need, and the first that is too new: `3.11`, `3.12`."""
    major, minor = sys.version_info[:2]
    return f"{major}.{minor}", f"{major}.{minor + 1}"


def dependencies(wanted: str) -> list[Distribution]:
    """What `wanted` needs at run time on this platform, and what that needs; by name, without our own.

    Extras that aren't installed here are left out.
    """
    found: dict[str, Distribution] = {}
    left = [Requirement(wanted)]
    seen: set[str] = set()
    while left:
        need = left.pop()
        if str(need) in seen:
            continue
        seen.add(str(need))
        name = need.name.lower().replace("_", "-")
        found[name] = distribution(name)
        for text in found[name].requires or ():
            further = Requirement(text)
            extras = need.extras or {""}
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                left.append(further)
    return [found[name] for name in sorted(found) if name not in SOURCES]


def copy_dependencies(wanted: str, folder: Path) -> None:
    """Put the files of all that `wanted` needs at run time into `folder`, as Python finds them there."""
    for needed in dependencies(wanted):
        for path, to in _files(needed):
            (folder / to).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / to)


def _fill(name: str, bundle: _Bundle, folder: Path) -> None:
    inside = folder / "lib"
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    ours = [each for each in SOURCES if (each == "slopn-app") == (name == "slopn") or each == "slopn-wire"]
    for each in ours:
        shutil.copytree(ROOT / SOURCES[each], inside / Path(SOURCES[each]).name, ignore=ignore)
    copy_dependencies(bundle.wanted, inside)
    for source, to in _DATA.items() if name == "slopn" else ():
        shutil.copytree(ROOT / source, inside / to)
    for program, module in bundle.programs.items():
        start = folder / program
        start.write_text(_START.format(inside=f"{INSTALLED}/{name}/lib", module=module), encoding="utf-8")
        start.chmod(0o755)
    # Checked by nobody at run time, and without a time in it: the same sources give the same bytes.
    for source_file in sorted(inside.rglob("*.py")):
        py_compile.compile(
            str(source_file),
            dfile=f"{INSTALLED}/{name}/lib/{source_file.relative_to(inside)}",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


def _files(of: Distribution) -> Iterator[tuple[Path, str]]:
    """Where each file of a distribution is, and where it belongs below the library's folder."""
    if of.files is None:
        give_up(f"{of.name} doesn't say which files are its own: run `make clean setup`.")
    for file in of.files:
        # Programs (../../../bin) and modules compiled here stay behind.
        if ".." in file.parts or file.suffix == ".pyc" or file.parts[0].endswith(".pth"):
            continue
        if ".dist-info" in file.parts[0] and file.parts[1] in _NOT_PACKED:
            continue
        yield Path(str(of.locate_file(file))), file.as_posix()
