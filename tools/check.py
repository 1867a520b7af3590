"""Everything that judges the code without running it. CI runs the same, and nothing else."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from tools import lengths, lock, workflows
from tools.console import CACHE, ROOT, VENV, Word, give_up, output, run, timed

CRATE = ROOT / "helper/engine"
PRODUCT = ("helper/wire/src", "helper/src", "app/src")
PLATFORM_MODULES = ROOT / "tools/platform-modules.txt"


def main() -> None:
    """Run every check; the first that fails ends the program with exit status 1."""
    checks = {
        "python": python,
        "types": types,
        "repository": repository,
        "page": page,
        "rust": rust,
        "shell": shell,
        "workflows": workflows.check,
        "docs": docs,
    }
    wanted = sys.argv[1:] or list(checks)
    for name in wanted:
        if name not in checks:
            give_up(f"No check {name!r}: there are {', '.join(checks)}.")
        with timed(f"check: {name}"):
            checks[name]()


def python() -> None:
    """Lint, format and import contracts."""
    run([VENV / "bin/ruff", "check", "--quiet", "."])
    run([VENV / "bin/ruff", "format", "--check", "--quiet", "."])
    run([VENV / "bin/lint-imports", "--no-logo", "--cache-dir", CACHE / "import-linter"])


def types() -> None:
    """Mypy, strict, for each platform: all that runs there, and for Linux the tools and the tests as well."""
    for platform in ("linux", "win32", "darwin"):
        exclude = "|".join(re.escape(path) for path, runs_on in platform_modules().items() if platform not in runs_on)
        beside = ["tools", *_test_folders()] if platform == "linux" else []
        run([*_mypy(platform), *(["--exclude", f"^({exclude})"] if exclude else []), *PRODUCT, *beside])


def repository() -> None:
    """File lengths, requirements that belong to the pyproject files, a schema that is the types'."""
    lengths.check()
    lock.check()
    run([VENV / "bin/python", "-m", "tools.wire", "--check"])


def page() -> None:
    """Svelte's types and format, what is generated for the page, and a catalogue without holes."""
    run([VENV / "bin/python", "-m", "tools.ui", "check"])


def rust() -> None:
    """Clippy with warnings as errors and rustfmt, for the engine and its fuzz targets."""
    clippy: list[Word] = ["cargo", "clippy", "--quiet", "--locked", "--all-targets", "--target-dir", CRATE / "target"]
    run(["cargo", "fmt", "--check"], cwd=CRATE)
    run([*clippy, "--all-features", "--", "-D", "warnings"], cwd=CRATE)
    run(["cargo", "fmt", "--check"], cwd=CRATE / "fuzz")
    # Nothing is linked here: a library that isn't there saves compiling libFuzzer, which is C++.
    run([*clippy, "--", "-D", "warnings"], cwd=CRATE / "fuzz", env={"CUSTOM_LIBFUZZER_PATH": "/none/libfuzzer.a"})


def shell() -> None:
    """Shellcheck over every script, found by suffix or by its first line."""
    if scripts := shell_scripts():
        run(["shellcheck", *scripts])


def docs() -> None:
    """Pages that are the code's, and a site without a broken link."""
    run([VENV / "bin/python", "-m", "tools.site", "--check"])


def platform_modules() -> dict[str, set[str]]:
    """Module or folder, by its path from the root → the platforms that it runs on."""
    rows = (line.split("#")[0].split() for line in PLATFORM_MODULES.read_text().splitlines())
    return {row[0]: set(row[1].split(",")) for row in rows if row}


def shell_scripts() -> list[Path]:
    """Files of the repository that a shell runs."""
    listing = output(["git", "ls-files", "--cached", "--others", "--exclude-standard"]) or ""
    paths = [ROOT / name for name in listing.splitlines()]
    return [path for path in paths if path.is_file() and (path.suffix == ".sh" or _first_line_names_shell(path))]


def _first_line_names_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return re.match(rb"#!.*\b(sh|bash|dash)\b", file.readline(200)) is not None


def _mypy(platform: str) -> list[Word]:
    """Its cache begins anew when a module comes or goes: mypy remembers that an import found nothing."""
    cache = CACHE / f"mypy-{platform}"
    names = "".join(
        sorted(f"{path}\n" for folder in (*PRODUCT, "tools", "tests") for path in (ROOT / folder).rglob("*.py"))
    )
    known = cache / "modules"
    if not known.is_file() or known.read_text() != names:
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        known.write_text(names)
    return [VENV / "bin/mypy", "--platform", platform, "--cache-dir", cache]


def _test_folders() -> list[str]:
    return ["tests"] if any((ROOT / "tests").rglob("*.py")) else []


if __name__ == "__main__":
    main()
