from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests/unit"
SOURCES = ("app/src", "helper/src", "helper/wire/src")

# What a unit test can't say anything about: module → the test that does.
TESTED_ELSEWHERE = {
    # They are calls of GTK and WebKit: what they decide stands in their pure neighbours.
    "slopn_app/host/appindicator.py": "tests/e2e/test_tray_panel.py",
    "slopn_app/window/bootstrap.py": "tests/e2e/test_window_desktop.py",
    "slopn_app/window/gtk.py": "tests/e2e/test_window_desktop.py",
    "slopn_app/window/webkit.py": "tests/e2e/test_window_foreign.py",
    # They are HTTP and TLS: what they decide stands in their pure neighbours.
    "slopn_helper/gateway/api/__init__.py": "tests/gateway/test_api_enrol.py",
    "slopn_helper/gateway/api/door.py": "tests/gateway/test_api_strangers.py",
    "slopn_helper/gateway/api/enrolling.py": "tests/gateway/test_api_enrol.py",
    "slopn_helper/gateway/api/gate.py": "tests/gateway/test_api_strangers.py",
    "slopn_helper/gateway/api/routes.py": "tests/gateway/test_api_enrol.py",
    # They wire the gateway's parts together, or speak to the kernel: what they do shows at a gateway at work.
    "slopn_helper/gateway/cli/serve.py": "tests/e2e/test_gateway_serve.py",
    "slopn_helper/gateway/interface.py": "tests/e2e/test_gateway_serve.py",
    "slopn_helper/gateway/serve.py": "tests/e2e/test_gateway_serve.py",
    "slopn_helper/gateway/server.py": "tests/e2e/test_gateway_serve.py",
    # The registry is its tables: what could be said of it without a database would repeat the code.
    "slopn_helper/gateway/registry/__init__.py": "tests/gateway/test_registry_devices.py",
    "slopn_helper/gateway/registry/backup.py": "tests/gateway/test_registry_backup.py",
    "slopn_helper/gateway/registry/database.py": "tests/gateway/test_registry_gone.py",
    "slopn_helper/gateway/registry/errors.py": "tests/gateway/test_registry_redeem.py",
    "slopn_helper/gateway/registry/feed.py": "tests/gateway/test_registry_feed.py",
    "slopn_helper/gateway/registry/gateways.py": "tests/gateway/test_registry_devices.py",
    "slopn_helper/gateway/registry/leases.py": "tests/gateway/test_registry_redeem.py",
    "slopn_helper/gateway/registry/migrations/__init__.py": "tests/gateway/test_registry_schema.py",
    "slopn_helper/gateway/registry/migrations/versions/v0001_devices.py": "tests/gateway/test_registry_schema.py",
    "slopn_helper/gateway/registry/migrations/versions/v0002_api.py": "tests/gateway/test_registry_schema.py",
    "slopn_helper/gateway/registry/rows.py": "tests/gateway/test_registry_devices.py",
    "slopn_helper/gateway/registry/statements.py": "tests/gateway/test_registry_redeem.py",
    "slopn_helper/gateway/registry/tables.py": "tests/gateway/test_registry_schema.py",
    "slopn_helper/gateway/registry/tokens.py": "tests/gateway/test_registry_redeem.py",
    "slopn_helper/gateway/registry/writer.py": "tests/gateway/test_registry_kill.py",
    # What both ends of a key's agreement have in common is tested with each end.
    "slopn_helper/psk/side.py": "tests/unit/slopn_helper/psk/test_client.py",
    # They speak to the kernel alone: what could be said of them without one stands in their pure neighbours.
    "slopn_helper/host/firewall/table.py": "tests/netns/test_firewall_table.py",
    "slopn_helper/host/netmon/linux.py": "tests/netns/test_netmon_linux.py",
    "slopn_helper/host/routes/kernel.py": "tests/netns/test_routes_linux.py",
    "slopn_helper/host/routes/linux.py": "tests/netns/test_routes_linux.py",
    "slopn_helper/host/rtnl.py": "tests/netns/test_routes_linux.py",
    "slopn_helper/psk/sockets.py": "tests/netns/test_psk_tunnel.py",
}


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
    """The test files of a module: `test_NAME.py` or `test_NAME_aspect.py` in the same folder below tests/unit.

    The modules of a small package may also be tested one folder higher: `test_conf_lexer.py` for `conf/lexer.py`.
    """
    path = Path(module)
    package, is_package = path.parent.name, path.stem == "__init__"
    # `import_` is named so only because the language keeps the word for itself; `__main__` keeps its name.
    name = path.stem if path.stem.startswith("__") else path.stem.rstrip("_")
    inside, above = (package, package) if is_package else (name, f"{package}_{name}")
    folder = UNIT / path.parent
    places = [(folder, inside), (folder.parent, above)]
    return [test for place, stem in places for glob in (stem, f"{stem}_*") for test in place.glob(f"test_{glob}.py")]


def test_each_module_with_code_has_its_test() -> None:
    """A module has its mirror test, or stands in the short list of those that only another kind of test can reach."""
    without = [module for module in modules() if not mirrors(module) and module not in TESTED_ELSEWHERE]
    assert without == [], "\n".join(["without a test of their own:", *without])


def test_the_list_of_exceptions_is_no_longer_than_it_must() -> None:
    """An exception names a module that exists and has no mirror, and a test that exists."""
    assert set(TESTED_ELSEWHERE) <= set(modules())
    assert [module for module in TESTED_ELSEWHERE if mirrors(module)] == []
    assert [test for test in TESTED_ELSEWHERE.values() if not (ROOT / test).is_file()] == []


def test_each_unit_test_has_its_module() -> None:
    """No test stays behind when its module is renamed or removed."""
    known = [path.relative_to(ROOT / source) for source in SOURCES for path in (ROOT / source).rglob("*.py")]
    mirrored = {test for path in known for test in mirrors(path.as_posix())}
    tests = {path for path in UNIT.rglob("test_*.py") if path.parent != UNIT}
    assert sorted(path.relative_to(UNIT).as_posix() for path in tests - mirrored) == []


def test_has_code_sees_the_difference() -> None:
    """A protocol or a struct is no code, a function with a statement is."""
    assert not has_code(ast.parse('class P:\n    def f(self) -> int:\n        """One."""\n        ...\n'))
    assert has_code(ast.parse("def f() -> int:\n    return 1\n"))
