from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from fuzz import registry
from tools import fuzz


def test_each_target_has_one_name() -> None:
    """`make fuzz` finds the targets that the sample runs, and the engine's; no name means two."""
    assert fuzz.python_targets() == registry.names()
    assert (
        {"arrived", "datagrams", "offload", "uapi"}
        == set(fuzz.rust_targets())
        == {path.name for path in fuzz.SEEDS.iterdir()}
    )
    assert not set(fuzz.python_targets()) & set(fuzz.rust_targets())


@pytest.mark.parametrize("name", fuzz.python_targets())
def test_each_target_says_what_it_is_about(name: str) -> None:
    """A sentence for the parser and one for what must hold, for who has a finding in hand."""
    tree = ast.parse((fuzz.PYTHON_TARGETS / f"{name}.py").read_text("utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert len(ast.get_docstring(tree) or "") > 40
    assert len(ast.get_docstring(functions["target"]) or "") > 20
    assert [argument.arg for argument in functions["target"].args.args] == ["data"]


def test_what_was_found_belongs_to_a_target() -> None:
    """Nothing stays behind when a target is renamed."""
    assert {path.name for path in registry.FOUND.iterdir()} <= set(registry.names())


def test_an_unknown_target_ends_with_the_names_of_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is fuzzed by mistake."""
    monkeypatch.setattr("sys.argv", ["fuzz", "1", "sesion"])
    with pytest.raises(SystemExit):
        fuzz.main()
    said = capsys.readouterr().err
    assert re.search(r"No target 'sesion': there are .*\boffload\b.*\bsession\b", said)


def test_the_shortest_inputs_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is written is read back: short ones first, none twice, none too long, and not too many."""
    monkeypatch.setattr(fuzz, "SEEDS", tmp_path)
    fuzz.write("offload", [b"long", b"a", b"a", b"", bytes(fuzz.LONGEST + 1), b"bc"])
    assert fuzz.kept("offload") == [b"a", b"bc", b"long"]
    fuzz.write("offload", [number.to_bytes(2, "big") for number in range(2 * fuzz.KEPT)])
    assert len(fuzz.kept("offload")) == fuzz.KEPT
    assert fuzz.kept("nothing") == []
