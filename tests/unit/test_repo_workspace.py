from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import check, lengths, lock

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("app/src", "helper/src", "helper/wire/src")


def pyproject() -> dict[str, Any]:
    """The root's settings."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_says_what_it_is_for() -> None:
    """Each package and module of the product begins with a docstring."""
    paths = [path for source in SOURCES for path in sorted((ROOT / source).rglob("*.py"))]
    assert paths
    assert [str(p.relative_to(ROOT)) for p in paths if not ast.get_docstring(ast.parse(p.read_text("utf-8")))] == []


def test_every_source_folder_is_a_package() -> None:
    """A folder without __init__.py would be left out of the wheel and of mypy's sight without a word."""
    folders = {path.parent for source in SOURCES for path in (ROOT / source).rglob("*.py")}
    assert [str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


def test_every_make_target_explains_itself() -> None:
    """`make help` shows each target that a person may call."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert listed is not None
    explained = set(re.findall(r"^([a-z-]+):[^=\n]*## \S", text, re.MULTILINE))
    assert explained == set(listed[1].split())


def test_every_exception_to_a_rule_has_a_reason() -> None:
    """An ignored lint rule, a system package and a module of one platform each stand beside the reason."""
    rules = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("ignore = [")[1].split("]")[0]
    lines = [line for line in rules.splitlines() if line.strip()]
    for name in ("tools/apt-packages.txt", "tools/platform-modules.txt"):
        lines += [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line.strip()]
    assert [line for line in lines if not re.search(r"#\s*\S", line)] == []


def test_platform_modules_exist_and_name_platforms() -> None:
    """Nothing stays out of a run of mypy after it is gone, or by a misspelt platform."""
    for path, platforms in check.platform_modules().items():
        assert (ROOT / path).exists(), path
        assert platforms < {"linux", "darwin", "win32"}, path


def test_the_scripts_of_the_repository_are_checked() -> None:
    """The search for shell scripts finds those without a suffix too."""
    assert ROOT / ".ci/run" in check.shell_scripts()


def test_requirements_are_pinned_by_hash() -> None:
    """Every line of the locks that names a package has a version and at least one hash, and no index."""
    for path in sorted(lock.FOLDER.glob("*.txt")):
        text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        assert lines
        assert [line for line in lines if not re.match(r"[\w.\-\[\]]+==\S+.*--hash=sha256:[0-9a-f]{64}", line)] == []


def test_the_fingerprint_sees_a_new_dependency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed dependency table makes the requirements stale."""
    for name in lock.MEMBERS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    before = lock.fingerprint()
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    assert lock.fingerprint() == before
    wire = tmp_path / "helper/wire/pyproject.toml"
    wire.write_text(wire.read_text().replace("dependencies = [", 'dependencies = [\n  "left-pad",'))
    assert lock.fingerprint() != before


@pytest.mark.parametrize(
    ("count", "limit", "complains"),
    [(300, None, False), (301, None, True), (400, 400, False), (401, 400, True), (399, 400, True), (501, 501, True)],
)
def test_lengths_only_shrink(count: int, limit: int | None, complains: bool) -> None:
    """Up to 300 lines is free, above stands a limit that follows the file down, and 500 is the end."""
    allowed = {} if limit is None else {"a.py": limit}
    assert bool(lengths.complaints({"a.py": count}, allowed)) == complains


def test_members_carry_one_version() -> None:
    """The four distributions are released together."""
    versions = {tomllib.loads((ROOT / name).read_text("utf-8"))["project"]["version"] for name in lock.MEMBERS}
    assert len(versions) == 1
    crate = tomllib.loads((ROOT / "helper/engine/Cargo.toml").read_text("utf-8"))["package"]["version"]
    assert versions == {crate}


def test_bans_name_their_reason() -> None:
    """Each banned call says what to use instead, or why not."""
    banned = pyproject()["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert {"sys.platform", "subprocess", "asyncio.create_task"} <= set(banned)
    assert all(len(rule["msg"]) > 20 for rule in banned.values())
