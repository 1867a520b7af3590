from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import asked
from slopn_helper.gateway.cli import status as verb
from slopn_helper.gateway.status import GatewayStatus, Trouble
from support.gateway_cli import Cli
from support.gateway_status import peer, status


def test_a_person_sees_devices_and_troubles() -> None:
    """Names are shown, never obeyed."""
    now = time.time()
    trouble = (Trouble("database", "It is gone."),)
    found = status(
        peer("a", name="phone", rx=1_500_000, handshake=now - 42), peer("b"), trouble=trouble, enrolling=False
    )
    text = "\n".join(verb.lines(found, now))
    assert "CAN'T ENROL" in text
    assert "lets devices in" in text
    assert "Trouble (database): It is gone." in text
    assert "1 connected of 2" in text
    (row,) = [line for line in text.splitlines() if line.startswith("phone")]
    assert row.split() == ["phone", "10.0.0.2", "42", "s", "ago", "1.5", "MB", "0", "B", "198.51.100.7:40000", "no"]


@pytest.mark.parametrize(("serving", "wanted"), [(True, cli.DONE), (False, cli.FAILED)])
def test_scripts_get_json_and_a_status(
    gateway: Cli, monkeypatch: pytest.MonkeyPatch, *, serving: bool, wanted: int
) -> None:
    """1 where no device is let in."""
    paths: list[Path] = []

    def ask(path: Path) -> GatewayStatus:
        paths.append(path)
        return status(peer("a"), serving=serving)

    monkeypatch.setattr(asked, "status", ask)
    code, out, _ = gateway.run("status", "--json")
    assert (code, json.loads(out)["peers"][0]["device"]) == (wanted, "a")
    assert paths == [gateway.folder / "run/admin.sock"]


def test_a_watch_looks_again_until_it_is_ended(gateway: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is how it ends, and no failure."""
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(asked, "status", lambda _: status())
    monkeypatch.setattr(time, "sleep", sleep)
    out = gateway.good("status", "--watch", "--json")
    assert len(out.splitlines()) == 3
