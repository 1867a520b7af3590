"""What the two frozen bundles are made of on Windows: as tools/bundles.py says, but for what this system has of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tools import freeze_parts
from tools.bundles import APP as APP_LINUX
from tools.bundles import HELPER as HELPER_LINUX
from tools.bundles import SOURCES, Bundle, below
from tools.console import ROOT

WINDOWED = frozenset({"slopn-tray.exe", "slopn-window.exe"})
"""Programs without a console."""

APP = APP_LINUX._replace(
    programs={f"{name}.exe": target for name, target in APP_LINUX.programs.items()},
    without=(),
    hidden=(
        "PIL.BmpImagePlugin",
        "PIL.IcoImagePlugin",
        "PIL.Image",
        "PIL.PngImagePlugin",
        "clr",
        "desktop_notifier.backends.winrt",
        "keyring.backends.Windows",
        "pystray._win32",
        "webview.platforms.edgechromium",
        "webview.platforms.winforms",
        "winrt.windows.foundation.collections",
    ),
    unwanted=("Xlib", "curses", "gi", "pdb", "readline", "secretstorage", "sqlite3", "tkinter", "jeepney", "dbus_fast"),
    forbidden=("slopn_engine", "slopn_helper", "sqlalchemy", "litestar", "uvicorn", "tkinter", "sqlite3"),
    data=(
        ("app/ui/dist", "slopn_app/window/page"),
        ("assets/icons/rendered", "slopn_app/assets/icons/rendered"),
        ("assets/locale", "slopn_app/assets/locale"),
    ),
    most=70,
)
HELPER = HELPER_LINUX._replace(
    programs={"slopn-helper.exe": HELPER_LINUX.programs["slopn-helper"]},
    without=("slopn_helper.gateway", "slopn_helper.ipc.endpoints.macos"),
    hidden=("servicemanager", "win32serviceutil", "win32timezone"),
)
_NOT_KEPT = ("webview/lib/WebBrowserInterop", "pywebview-android.jar", "runtimes/win-arm64", "runtimes/win-x86")
BUNDLES = {bundle.name: bundle for bundle in (APP, HELPER)}


def modules(bundle: Bundle) -> Iterator[str]:
    """All modules of our own packages that go in, except those for other systems."""
    others = _for_other_systems()
    for package in bundle.packages:
        for path in sorted(SOURCES[package].rglob("*.py")):
            parts = path.relative_to(SOURCES[package].parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if path.relative_to(ROOT).as_posix() not in others and not below(name, bundle.without):
                yield name


def driver(bundle: Bundle) -> list[tuple[str, str]]:
    """wintun.dll, which no import names: beside the engine, in the bundle that has it."""
    if bundle.name != HELPER.name:
        return []
    found = find_spec("slopn_engine")
    if found is None or found.origin is None:
        raise FileNotFoundError("slopn_engine isn't installed for Windows")
    return [(str(Path(found.origin).parent / "wintun.dll"), "slopn_engine")]


def is_kept(place: str) -> bool:
    """Whether a file that a library brings goes in: what pywebview has for other processors and for older views doesn't."""
    name = place.replace("\\", "/")
    return freeze_parts.is_kept(name) and not any(word in name for word in _NOT_KEPT)


def _for_other_systems() -> frozenset[str]:
    rows = (line.split("#")[0].split() for line in (ROOT / "tools/platform-modules.txt").read_text().splitlines())
    return frozenset(row[0] for row in rows if row and "win32" not in row[1].split(","))
