from __future__ import annotations

import pytest

from slopn_helper.gateway.__main__ import main


def test_no_verb_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """argparse's usage, and its status."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("slopn-gateway ")
