from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import opened
from support.gateway_cli import Cli


def test_only_root_may(gateway: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked at before."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert gateway.run("token", "list") == (cli.NOT_PERMITTED, "", "slopn-gateway: must run as root\n")


def test_without_a_gateway_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence, no trace."""
    status, out, err = Cli(tmp_path, capsys).run("device", "list")
    assert (status, out) == (cli.FAILED, "")
    assert "slopn-gateway init" in err


def test_a_wrong_setting_is_named_with_its_line(gateway: Cli) -> None:
    """As config_file says it."""
    gateway.config_file.write_text("[wireguard]\nendpoint = 12\n", encoding="utf-8")
    status, _, err = gateway.run("token", "list")
    assert (status, "line 2, wireguard.endpoint" in err) == (cli.FAILED, True)


def test_a_database_that_is_gone_is_a_sentence(gateway: Cli) -> None:
    """The registry's own."""
    (gateway.state / "registry.db").unlink()
    status, _, err = gateway.run("device", "list")
    assert (status, err.count("\n")) == (cli.FAILED, 1)
    assert "can't be reached" in err


def test_a_terminal_obeys_nothing_of_an_error(gateway: Cli) -> None:
    """What a user or a device has said is in it."""
    _, _, err = gateway.run("device", "show", "\x1b[2Jx\ny")
    assert "\x1b" not in err
    assert err.count("\n") == 1


def test_an_error_of_ours_has_its_trace(gateway: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What isn't foreseen isn't hidden."""
    monkeypatch.setattr(opened, "settings", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gateway.run("token", "list")


def test_a_verb_imports_its_own_module_alone() -> None:
    """`bans` needs no database, and works while half of the libraries are being upgraded."""
    script = (
        "import sys; from slopn_helper.gateway import cli; cli._parser(['bans', 'list']);"
        "print([m for m in sys.modules if m.startswith(('sqlalchemy', 'segno', 'uvicorn', 'litestar', 'prometheus'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in cli.VERBS if name != "serve"])
def test_each_verb_says_what_it_is(name: str) -> None:
    """In one line of --help."""
    assert cli.verb(name).HELP
    assert "\n" not in cli.verb(name).HELP
