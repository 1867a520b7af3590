"""What installers/freeze/bundle.spec asks: entries, data, and which of what PyInstaller finds goes in. Nothing here is PyInstaller's."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

from tools.bundles import DEVELOPMENT, SOURCES, SYSTEM, Bundle
from tools.console import ROOT
from tools.distributions import modules_of, needed, strangers

_ENTRY = """import sys

from {module} import {function}

sys.exit({function}())
"""
_TYPELIB_MODULES = (
    "AppIndicator3",
    "AyatanaAppIndicator3",
    "GLib",
    "GObject",
    "Gdk",
    "Gio",
    "Gtk",
    "Notify",
    "Soup",
    "WebKit2",
    "cairo",
)
TYPELIBS = tuple(f"gi.repository.{name}" for name in _TYPELIB_MODULES)
"""They aren't modules: gi makes them at run time of what the distribution has. PyInstaller would pack all of GTK."""
HOOKS_NOT_RUN = frozenset({"pyi_rth_gi", "pyi_rth_glib"})
"""PyInstaller's hooks that would send GLib to copies of its data that aren't in the bundle."""
_NOT_PACKED = {"__pycache__", ".gitignore", ".po", ".pyi", ".pyc", ".map"}


def entries(bundle: Bundle, work: Path) -> dict[str, Path]:
    """Program → the script that starts it, written into `work`."""
    found = {}
    for program, target in bundle.programs.items():
        module, function = target.split(":")
        found[program] = work / f"entry_{program.replace('-', '_')}.py"
        found[program].parent.mkdir(parents=True, exist_ok=True)
        found[program].write_text(_ENTRY.format(module=module, function=function), encoding="utf-8")
    return found


def excluded(bundle: Bundle) -> list[str]:
    """Modules that don't go in, whoever asks for them."""
    asked_for = {name.split(".")[0] for name in bundle.hidden}
    others = [name for name in strangers(bundle.wanted) if name not in asked_for and name not in SOURCES]
    return [*DEVELOPMENT, *bundle.unwanted, *bundle.without, *TYPELIBS, *others]


def brought(bundle: Bundle) -> list[Distribution]:
    """The distributions of which something goes in."""
    found = needed(bundle.wanted)
    return [
        each for each in found if not set(modules_of(each)) <= set(bundle.unwanted) or each.name.startswith("slopn-")
    ]


def data(bundle: Bundle, work: Path) -> list[tuple[str, str]]:
    """Files that aren't code, and where they go: our own, and what the libraries' names and versions are asked from.

    Raises `FileNotFoundError` for one that isn't built.
    """
    found = []
    for source, target in bundle.data:
        if not (ROOT / source).exists():
            raise FileNotFoundError(f"{source} isn't there: run `make setup`.")
        for path in sorted((ROOT / source).rglob("*")):
            relative = path.relative_to(ROOT / source)
            if path.is_file() and not _NOT_PACKED & {path.suffix, *relative.parts}:
                found.append((str(path), str(Path(target) / relative.parent)))
    return [*found, *_metadata(bundle, work)]


def _metadata(bundle: Bundle, work: Path) -> list[tuple[str, str]]:
    """Name and version of each distribution, for `importlib.metadata`.

    The rest stays behind: RECORD and direct_url.json say where they were installed, entry points are a door for plugins.
    """
    found = []
    for each in brought(bundle):
        folder = f"{each.name.replace('-', '_')}-{each.version}.dist-info"
        path = work / folder / "METADATA"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Metadata-Version: 2.1\nName: {each.name}\nVersion: {each.version}\n", encoding="utf-8")
        found.append((str(path), folder))
    return found


def is_ours(binary: str) -> bool:
    """Whether a library that something in the bundle is linked with goes in; `binary` is its place there."""
    return "/" in binary or not binary.startswith(tuple(f"{name}.so" for name in SYSTEM))


def is_kept(place: str) -> bool:
    """Whether a file that a library brings goes in: its types, tests and metadata don't."""
    path = Path(place)
    if ".dist-info" in place:
        return path.name == "METADATA"
    return (
        path.suffix not in {".pyi", ".c", ".h", ".pyx", ".pxd"}
        and path.name != "py.typed"
        and "tests" not in path.parts
    )
