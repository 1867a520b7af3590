from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The registries' hosts, written so that this file doesn't name one either.
HOSTS = [
    rf"\b{name}\.{domain}\b"
    for name, domain in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("crates", "io"),
        ("npmjs", "(org|com)"),
        ("golang", "org"),
        ("debian", "(org|net)"),
        ("ubuntu", "com"),
        ("maven", "(org|apache)"),
    )
]
PATHS = [rf"(?<![\w./-])/{name}/" for name in ("work", "root")] + [r"\.py" + "env/", "/tmp/" + "team"]
# cargo itself writes this word; it is no host to reach.
CARGO_WORD = "registry+https://github.com/rust-lang/crates" + ".io-index"

MARKS = {"skip", "skipif", "xfail", "importorskip", "skipTest", "expectedFailure"}


def tracked() -> list[Path]:
    """Files that git has or would add, as paths."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    """A file as text, without the one word that cargo writes into its lock."""
    return path.read_bytes().decode("utf-8", errors="replace").replace(CARGO_WORD, "")


def found(patterns: list[str]) -> list[str]:
    """`file:line: match` for each place of the repository where one of the patterns stands."""
    either = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    return [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in tracked()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if (match := either.search(line))
    ]


def test_no_file_names_a_registry_host() -> None:
    """Registries are reached through the clients' own settings; a host in the repository would bypass them."""
    assert found(HOSTS) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    """What is committed works in any checkout."""
    assert found(PATHS) == []


def test_the_patterns_find_what_they_are_for() -> None:
    """The two searches above would see a slip."""
    hosts, paths = re.compile("|".join(HOSTS)), re.compile("|".join(PATHS))
    assert hosts.search("files." + "pythonhosted" + ".org")
    assert hosts.search("proxy.golang" + ".org")
    assert paths.search("cd /" + "work/main")
    assert not paths.search("/var/lib/network/")
    assert not hosts.search("crates, golang and debian")


def marks_in(source: str) -> list[str]:
    """Words of a test file that skip a test or expect it to fail: `pytest.skip`, `mark.xfail`, `from pytest import skip`."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return sorted(MARKS & names)


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_is_skipped_or_expected_to_fail(path: Path) -> None:
    """A test that lacks a tool, root or a device fails, so that a green run means that everything was tried.

    Under Wine some can't be real: they are expected to fail in one place, strictly, and named for the runner.
    """
    if path == ROOT / "tests/windows/inside/conftest.py":
        return
    assert marks_in(path.read_text(encoding="utf-8")) == []


def test_skip_marks_are_found() -> None:
    """The search above would see a mark, a call and an import."""
    assert marks_in("@pytest.mark.skipif(True)\ndef f(): pytest.skip()") == ["skip", "skipif"]
    assert marks_in("from pytest import importorskip") == ["importorskip"]


def test_no_rust_test_is_ignored() -> None:
    """The same for the engine: no #[ignore]."""
    sources = [path for path in tracked() if path.suffix == ".rs"]
    assert sources
    assert [str(path) for path in sources if re.search(r"#\[\s*ignore\b", text_of(path))] == []
