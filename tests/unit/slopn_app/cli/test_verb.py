from __future__ import annotations

import pytest

from slopn_app.cli.main import VERBS, load
from slopn_app.cli.verb import Argument, Verb, parse

VERB = Verb(
    "do something",
    (Argument(("files",), "files", {"nargs": "+"}), Argument(("--force",), "now", {"action": "store_true"})),
)


def test_options_may_stand_anywhere() -> None:
    """Before, between and behind the positional arguments."""
    for arguments in (["a", "b", "--force"], ["--force", "a", "b"], ["a", "--force", "b"]):
        parsed = parse("do", VERB, arguments)
        assert (parsed.files, parsed.force, parsed.json) == (["a", "b"], True, False)


def test_every_verb_takes_json() -> None:
    """It needn't be named by the verb."""
    assert parse("do", VERB, ["a", "--json"]).json


@pytest.mark.parametrize("arguments", [[], ["a", "--farce"], ["a", "--for"]])
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A missing argument, an unknown option and an abbreviation, which a later option could make ambiguous."""
    with pytest.raises(SystemExit) as ended:
        parse("do", VERB, arguments)
    assert ended.value.code == 2
    assert "usage: slopn do" in capsys.readouterr().err


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names every argument and ends with 0."""
    verb = load(name).VERB
    with pytest.raises(SystemExit) as ended:
        parse(name, verb, ["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: slopn {name}" in out
    for argument in verb.arguments:
        assert argument.options.get("metavar", argument.names[-1]) in out
