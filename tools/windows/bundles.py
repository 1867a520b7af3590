"""What the two frozen bundles are made of on Windows: as tools/bundles.py says, but for what this system has of its own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tools import freeze_parts
from tools.bundles import APP as APP_LINUX
from tools.bundles import HELPER as HELPER_LINUX
from tools.bundles import Bundle

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
    platform="win32",
)
HELPER = HELPER_LINUX._replace(
    programs={"slopn-helper.exe": HELPER_LINUX.programs["slopn-helper"]},
    without=("slopn_helper.gateway", "slopn_helper.ipc.endpoints.macos"),
    hidden=("servicemanager", "win32serviceutil", "win32timezone"),
    platform="win32",
)
_NOT_KEPT = ("webview/lib/WebBrowserInterop", "pywebview-android.jar", "runtimes/win-arm64", "runtimes/win-x86")
BUNDLES = {bundle.name: bundle for bundle in (APP, HELPER)}


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
