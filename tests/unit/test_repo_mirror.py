from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests/unit"
SOURCES = ("app/src", "helper/src", "helper/wire/src")

# What a unit test can't say anything about: module → the test that does.
TESTED_ELSEWHERE: dict[str, str] = {}


def modules() -> list[str]:
    """Every module with code, as `slopn_helper/host/journal.py`; types, interfaces and re-exports alone are no code."""
    return [
        path.relative_to(ROOT / source).as_posix()
        for source in SOURCES
        for path in sorted((ROOT / source).rglob("*.py"))
        if has_code(ast.parse(path.read_text(encoding="utf-8")))
    ]


def has_code(tree: ast.AST) -> bool:
    """Whether any function does more than state its type."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(any(not is_stub(statement) for statement in function.body) for function in functions)


def is_stub(statement: ast.stmt) -> bool:
    """A docstring or an ellipsis."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def mirrors(module: str) -> list[Path]:
    """The test files of a module: `test_NAME.py` or `test_NAME_aspect.py` in the same folder below tests/unit."""
    path = Path(module)
    is_package = path.stem == "__init__"
    name = path.parent.name if is_package else path.stem.strip("_")
    folder = UNIT / (path.parent.parent if is_package else path.parent)
    inside = sorted((UNIT / path.parent).glob(f"test_{name}.py")) if is_package else []
    return [*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py"), *inside]


@pytest.mark.parametrize("module", modules())
def test_each_module_with_code_has_its_test(module: str) -> None:
    """A module has its mirror test, or stands in the short list of those that only another kind of test can reach."""
    if module in TESTED_ELSEWHERE:
        assert (ROOT / TESTED_ELSEWHERE[module]).is_file(), f"{TESTED_ELSEWHERE[module]} is gone"
        assert not mirrors(module), f"{module} has its own test now: take it off the list"
    else:
        assert mirrors(module), (
            f"{module} has no tests/unit/{Path(module).parent}/test_{Path(module).stem.strip('_')}.py"
        )


def test_the_list_of_exceptions_names_modules_that_exist() -> None:
    """Nothing stays on the list of exceptions after its module is gone."""
    assert set(TESTED_ELSEWHERE) <= set(modules())


def test_each_unit_test_has_its_module() -> None:
    """No test stays behind when its module is renamed or removed."""
    known = {path for source in SOURCES for path in (ROOT / source).rglob("*.py")}
    mirrored = {test for path in known for test in mirrors(relative(path))}
    tests = {path for path in UNIT.rglob("test_*.py") if path.parent != UNIT and "tools" not in path.parts}
    assert sorted(map(str, tests - mirrored)) == []


def relative(path: Path) -> str:
    """A module's path inside its source folder."""
    return next(path.relative_to(ROOT / s).as_posix() for s in SOURCES if path.is_relative_to(ROOT / s))


def test_has_code_sees_the_difference() -> None:
    """A protocol or a struct is no code, a function with a statement is."""
    assert not has_code(ast.parse('class P:\n    def f(self) -> int:\n        """One."""\n        ...\n'))
    assert has_code(ast.parse("def f() -> int:\n    return 1\n"))
