"""The field on which all these tests fight, and what each of them must leave behind: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("attacks.answers", "attacks.field")

from attacks.field import Field  # noqa: E402 - its asserts are told in full

_HERE = Path(__file__).parent
_costs: dict[str, int] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Other users and namespaces need root."""
    for item in items:
        if item.path.is_relative_to(_HERE) and "battlefield" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.root)


@pytest.fixture(scope="session")
def battlefield() -> Iterator[Field]:
    """One helper for all."""
    with Field() as field:
        yield field


@pytest.fixture
def field(battlefield: Field, request: pytest.FixtureRequest) -> Iterator[Field]:
    """The helper; in the end it must be as it was, have grown little, and serve root."""
    with battlefield.endured():
        yield battlefield
        _costs[request.node.name] = battlefield.cost()


@pytest.fixture
def fresh_field(battlefield: Field, request: pytest.FixtureRequest) -> Iterator[Field]:
    """The same with a helper that was just started, so that no memory is left from other attacks that this one could use."""
    battlefield.restart()
    with battlefield.endured():
        yield battlefield
        _costs[request.node.name] = battlefield.cost()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the dearest attacks have cost."""
    dearest = sorted(_costs.items(), key=lambda each: -each[1])[:5]
    if dearest:
        terminalreporter.section("memory that attacks cost the helper, the dearest")
        for name, cost in dearest:
            terminalreporter.line(f"{cost / 1e6:5.1f} MB  {name}")
