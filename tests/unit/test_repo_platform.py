from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("app/src", "helper/src", "helper/wire/src")
QUESTIONS = {("sys", "platform"), ("os", "name"), ("platform", "system")}


def asks(source: str) -> bool:
    """Whether the code asks for the platform in any of the usual ways."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in QUESTIONS:
                return True
            case ast.ImportFrom(module=module, names=names) if any((module, n.name) in QUESTIONS for n in names):
                return True
            case _:
                pass
    return False


def test_only_bootstrap_asks_for_the_platform() -> None:
    """Which mechanism is used is decided in bootstrap.py alone, also where ruff's ban has a file-wide exception."""
    found = [
        path.relative_to(ROOT / source).as_posix()
        for source in SOURCES
        for path in sorted((ROOT / source).rglob("*.py"))
        if path.name != "bootstrap.py" and asks(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_search_sees_each_way_to_ask() -> None:
    """Attribute and import are both found."""
    assert asks("import sys\nprint(sys.platform)")
    assert asks("from os import name")
    assert not asks("import sys\nprint(sys.argv)")
