"""What the three frozen bundles are made of: data for tools/freeze.py and installers/freeze/bundle.spec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tools.console import ROOT

SOURCES = {
    "slopn_app": ROOT / "app/src/slopn_app",
    "slopn_helper": ROOT / "helper/src/slopn_helper",
    "slopn_wire": ROOT / "helper/wire/src/slopn_wire",
}
"""Our own packages; the engine is built for the bundles alone, see tools/freeze_engine.py."""
INSIDE = "lib"
"""The folder beside a bundle's programs that holds all the rest."""


class Bundle(NamedTuple):
    """One folder below /usr/lib/slopn."""

    name: str
    programs: dict[str, str]
    """Program → the function that it calls, as `module:function`."""
    wanted: tuple[str, ...]
    """Distributions, with their extras; what they need at run time comes along, and is named in the SBOM."""
    packages: tuple[str, ...]
    """Packages of ours whose every module goes in: verbs and mechanisms are imported by names that nobody can see."""
    without: tuple[str, ...] = ()
    """Modules of ours, and all below them, that don't."""
    hidden: tuple[str, ...] = ()
    """Modules of others that are imported by names which PyInstaller can't see."""
    unwanted: tuple[str, ...] = ()
    """Modules that must not be in it, though something asks for them: it does without, or never gets there."""
    forbidden: tuple[str, ...] = ()
    """Modules of which the check finds none in the bundle."""
    data: tuple[tuple[str, str], ...] = ()
    """Files and folders below the checkout → where they go in `INSIDE`."""
    most: int = 0
    """MiB, unpacked."""
    platform: str = "linux"
    """What it runs on, as `sys.platform` has it."""

    def modules(self) -> Iterator[str]:
        """All modules of our own packages that go in, except those for another system."""
        others = _for_other_systems(self.platform)
        for package in self.packages:
            for path in sorted(SOURCES[package].rglob("*.py")):
                parts = path.relative_to(SOURCES[package].parent).with_suffix("").parts
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                if path.relative_to(ROOT).as_posix() not in others and not below(name, self.without):
                    yield name


def below(name: str, roots: tuple[str, ...]) -> bool:
    """Whether a module is one of `roots` or stands below one."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def _for_other_systems(platform: str) -> frozenset[str]:
    """Files that don't run on this platform, by the list that mypy has."""
    rows = (line.split("#")[0].split() for line in (ROOT / "tools/platform-modules.txt").read_text().splitlines())
    return frozenset(row[0] for row in rows if row and platform not in row[1].split(","))


DEVELOPMENT = (
    "_bz2", "_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw", "_lzma", "_pytest", "_uuid",
    "bz2", "doctest", "ensurepip", "hypothesis", "idlelib", "lib2to3", "lzma", "mypy", "pip", "pkg_resources", "pydoc",
    "pydoc_data", "pytest", "rich", "setuptools", "test", "turtledemo", "venv", "wheel",
)  # fmt: skip
"""Nothing that runs needs them; libraries ask for them in their own tests, or to draw what nobody sees. Python itself does
without bz2, lzma and _uuid, and each would be one more library of the system's; bzip2's has another name on Fedora."""
_SURFACE = ("PIL", "Xlib", "curses", "gi", "readline", "sqlite3", "tkinter")
_WEB = ("bottle", "http.server", "litestar", "prometheus_client", "segno", "uvicorn", "webview", "xmlrpc")
_DATABASE = ("aiosqlite", "alembic", "psycopg", "psycopg_binary", "sqlalchemy", "sqlite3")

APP = Bundle(
    name="slopn",
    programs={
        "slopn": "slopn_app.cli.main:main",
        "slopn-tray": "slopn_app.tray.main:main",
        "slopn-window": "slopn_app.window.main:main",
    },
    wanted=("slopn-app[desktop]",),
    packages=("slopn_app", "slopn_wire"),
    without=("slopn_app.host.keyring", "slopn_app.host.status_icon", "slopn_app.window.loopback", "slopn_app.window.webview"),
    # gi looks for overrides at run time, by name; without them GObject's and GTK's calls are others.
    hidden=(
        "desktop_notifier.backends.dbus", "gi", "gi.repository", *(f"gi.overrides.{name}" for name in ("GLib", "GObject", "Gdk", "Gio", "Gtk")),
        "pystray._appindicator",
    ),
    # GTK and WebKit stay the distribution's, with all that they stand on: two GLibs in one process end in a crash.
    unwanted=(
        "PIL", "Xlib", "backports", "bottle", "curses", "importlib_metadata", "jaraco", "keyring", "more_itertools",
        "http.server", "multiprocessing", "pdb", "proxy_tools", "readline", "secretstorage", "sqlite3", "tkinter", "webview", "zipp",
    ),
    forbidden=("slopn_engine", "slopn_helper", "sqlalchemy", *_WEB),
    data=(
        ("app/ui/dist", "slopn_app/window/page"),
        ("assets/icons/rendered/hicolor", "slopn_app/assets/icons/rendered/hicolor"),
        ("assets/locale", "slopn_app/assets/locale"),
    ),
    most=65,
)  # fmt: skip
HELPER = Bundle(
    name="slopn-helper",
    programs={"slopn-helper": "slopn_helper.__main__:main"},
    wanted=("slopn-helper",),
    packages=("slopn_helper", "slopn_wire"),
    without=("slopn_helper.gateway", "slopn_helper.ipc.endpoints.pipe", "slopn_helper.ipc.endpoints.macos"),
    unwanted=(*_SURFACE, "http.server", "pdb", "xmlrpc"),
    forbidden=("slopn_app", "slopn_helper.gateway", *_SURFACE, *_WEB, *_DATABASE),
    most=45,
)
GATEWAY = Bundle(
    name="slopn-gateway",
    programs={"slopn-gateway": "slopn_helper.gateway.__main__:main"},
    wanted=("slopn-helper[gateway]",),
    packages=("slopn_helper", "slopn_wire"),
    without=("slopn_helper.ipc.endpoints.pipe", "slopn_helper.ipc.endpoints.macos"),
    hidden=("psycopg", "psycopg_binary", "psycopg_binary.pq", "sqlalchemy.dialects.postgresql.psycopg",
            "sqlalchemy.dialects.sqlite.aiosqlite"),
    unwanted=("PIL", "Xlib", "curses", "gi", "readline", "tkinter"),
    forbidden=("slopn_app", "PIL", "gi", "tkinter", "webview"),
    # Alembic reads its versions as files.
    data=(("helper/src/slopn_helper/gateway/registry/migrations", "slopn_helper/gateway/registry/migrations"),),
    most=90,
)  # fmt: skip
BUNDLES = {bundle.name: bundle for bundle in (APP, HELPER, GATEWAY)}

LOOSE = ("gi", "psycopg", "pystray")
"""Packages that are files of their own in the bundle: their licence (LGPL) lets whoever has the bundle replace them."""

SYSTEM = (
    "libcrypto", "libexpat", "libffi", "libgcc_s", "libgio-2.0", "libgirepository-1.0", "libglib-2.0", "libgmodule-2.0",
    "libgobject-2.0", "libgthread-2.0", "libmount", "libblkid", "libpcre2-8", "libselinux", "libsqlite3", "libssl", "libstdc++",
    "libz",
)  # fmt: skip
"""Libraries that stay the distribution's, by the beginnings of their names: it mends them, and what GTK and WebKit stand on
must be the same for us. tools/libraries.py makes dependencies of those that we are linked with."""
