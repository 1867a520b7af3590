from __future__ import annotations

import pytest

from support.slopn import Slopn


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_a_shell(slopn: Slopn, shell: str) -> None:
    """It knows the verbs; no helper is needed."""
    outcome = slopn("completion", shell)
    assert (outcome.status, outcome.err) == (0, "")
    assert "disconnect" in outcome.out
    assert slopn("completion", shell, "--json").json == {"shell": shell, "script": outcome.out}


@pytest.mark.parametrize("arguments", [[], ["tcsh"]])
def test_another_shell_is_wrong_usage(slopn: Slopn, arguments: list[str]) -> None:
    """Status 2, with the ones there are."""
    outcome = slopn("completion", *arguments)
    assert outcome.status == 2
