from __future__ import annotations

import pytest

from slopn_helper.gateway.__main__ import main


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--version"], 0, "slopn-gateway "),
        (["--help"], 0, "check this server"),
        ([], 2, "VERB"),
        (["nothing"], 2, "invalid choice"),
        (["token"], 2, "ACT"),
    ],
)
def test_what_is_no_verb(words: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """argparse's usage, and its status."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == status
    out, err = capsys.readouterr()
    assert told in out + err
