"""`slopn-helper`: arguments and exit statuses; the roles themselves are tested end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from slopn_helper import __main__ as program
from slopn_helper import bootstrap, earlyboot
from slopn_helper.host.firewall import FirewallError
from slopn_helper.store import StoreError


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """As whoever runs the service."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.umask", lambda _: 0)


def test_others_than_root_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence, with the status for it."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert program.main(["client"]) == 4
    assert "root" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["serve"], ["client", "--log-level", "loud"]])
def test_wrong_usage(argv: list[str]) -> None:
    """argparse's own status."""
    with pytest.raises(SystemExit, match="2"):
        program.main(argv)


def test_the_client_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where it keeps things, where it logs and whom it trusts reach it; an order to end is a success."""
    seen: list[bootstrap.Options] = []
    monkeypatch.setattr(bootstrap, "run_client", seen.append)
    where = ["--state-dir", str(tmp_path), "--runtime-dir", "/run/x"]
    logged = ["--log-level", "debug", "--log-file", "/var/log/x", "--prefix", "/opt/x"]
    assert program.main(["client", *where, *logged]) == 0
    assert program.main(["client"]) == 0
    assert seen == [
        bootstrap.Options(tmp_path, Path("/run/x"), "debug", Path("/var/log/x"), Path("/opt/x")),
        bootstrap.Options(),
    ]


def test_a_state_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence, no traceback."""

    def broken(*_: object) -> None:
        raise StoreError("written by a newer SloPN")

    monkeypatch.setattr(bootstrap, "run_client", broken)
    assert program.main(["client"]) == 1
    assert capsys.readouterr().err == "slopn-helper: written by a newer SloPN\n"


@pytest.mark.parametrize("role", ["restore", "unlock"])
@pytest.mark.parametrize(("failed", "status"), [([], 0), (["resolv.conf: disk full"], 1)])
def test_restore(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], role: str, failed: list[str], status: int
) -> None:
    """Says what it means for the traffic, or what is left."""
    monkeypatch.setattr(bootstrap, f"run_{role}", lambda _: failed)
    assert program.main([role]) == status
    shown = capsys.readouterr()
    assert ("goes out directly" in shown.out) == (not failed)
    assert all(sentence in shown.err for sentence in failed)


def test_the_role_at_boot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What it did, for the journal; where it could not, a sentence and a failed unit."""
    monkeypatch.setattr(earlyboot, "run", str)
    assert program.main(["early-block", "--state-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}\n"

    def refused(_: Path) -> str:
        raise FirewallError("nftables is missing")

    monkeypatch.setattr(earlyboot, "run", refused)
    assert program.main(["early-block"]) == 1
    assert capsys.readouterr().err.endswith("could not be closed before its network is up: nftables is missing\n")
