"""Windows from Linux.

setup           Wine, a Windows Python with our packages, and the engine for it, all in .cache/windows
run ARGS…       that Python, e.g. `run -m pytest tests/windows/inside`
rust [ARGS…]    the engine's own tests, built for Windows, under Wine
freeze          the programs as they are shipped, in .cache/windows/bundles
dist            the signed installer of them, in dist/windows
test [ARGS…]    what tests/windows/inside holds; ARGS go to pytest
"""

from __future__ import annotations

import sys

from tools.console import say
from tools.windows import engine, freeze, installer, python, wine

INSIDE = "tests/windows/inside"


def main() -> int:
    """See above; the exit status is that of the Windows program."""
    words = sys.argv[1:]
    if not words or words[0] not in {"setup", "run", "rust", "freeze", "dist", "test"}:
        say((__doc__ or "").strip())
        return 2
    with wine.using():
        ensure()
        match words[0]:
            case "run":
                return wine.call([wine.PYTHON / "python.exe", *words[1:]])
            case "rust":
                return rust(words[1:])
            case "freeze":
                freeze.freeze(installer.FROZEN)
                return 0
            case "dist":
                installer.make()
                return 0
            case "test":
                return pytest(words[1:])
            case _:
                return 0


def ensure() -> None:
    """Wine, Python and the engine, each made where it is missing or not today's."""
    with wine.alone():
        wine.ensure()
        python.ensure()
        engine.ensure()


def rust(words: list[str]) -> int:
    """The engine's unit tests."""
    engine.cargo(["test", "--lib", "--no-run"])
    folder = engine.TARGET / engine.TRIPLE / "debug/deps"
    newest = max(folder.glob("slopn_engine-*.exe"), key=lambda path: path.stat().st_mtime)
    return wine.call([newest, *words])


def pytest(words: list[str]) -> int:
    """The Python tests that are for Windows. Linux' own conftest.py stays outside."""
    chosen = [f"--confcutdir={INSIDE}", "-p", "no:cacheprovider", "-o", "python_files=windows_*.py"]
    return wine.call([wine.PYTHON / "python.exe", "-m", "pytest", *chosen, *(words or [INSIDE])])


if __name__ == "__main__":
    raise SystemExit(main())
