from __future__ import annotations

import asyncio
import secrets
import stat
import time
from pathlib import Path

import pytest

from slopn_helper.gateway import certificate, cli
from slopn_helper.gateway.cli import opened
from slopn_helper.gateway.types import Enrolled
from slopn_wire.enrolment import parse_link
from support.gateway_cli import ENDPOINT, Cli


def redeem(gateway: Cli, secret: bytes) -> Enrolled:
    """Enrol by a token's secret."""

    async def main() -> Enrolled:
        async with opened.registry(gateway.config) as registry:
            return await registry.redeem(secret, "laptop", secrets.token_bytes(32), now=time.time(), expires=None)

    return asyncio.run(main())


def test_a_link_enrols_and_names_this_gateway(gateway: Cli) -> None:
    """Host and port are those of the settings, the pin is the certificate's; it works once, as said."""
    made = gateway.json("token", "create", "--label", "Bob", "--expires", "7d")
    link = parse_link(made["link"])
    assert (link.host, link.port) == (ENDPOINT, gateway.config.enrolment.port)
    assert link.pin == certificate.ensure(gateway.state / "certificate", ENDPOINT).pin
    assert redeem(gateway, link.token).device.name == "laptop"
    (listed,) = gateway.json("token", "list")
    assert (listed["id"], listed["label"], listed["left"], listed["state"]) == (made["id"], "Bob", 0, "spent")
    assert abs(listed["expires"] - time.time() - 7 * 86400) < 3600


def test_a_person_sees_link_and_code_once(gateway: Cli, tmp_path: Path) -> None:
    """The secret is kept nowhere: neither list nor audit log nor registry has it."""
    out = gateway.good("token", "create")
    link = next(line for line in out.splitlines() if line.startswith("slopn://"))
    assert "█" in out or "▀" in out
    text = link.rpartition("token=")[2]
    assert text not in gateway.good("token", "list")
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert text.encode() not in everything
    assert parse_link(link).token not in everything
    assert [line["what"] for line in gateway.audit()] == ["token.create"]


def test_the_code_as_a_file_is_its_owners(gateway: Cli, tmp_path: Path) -> None:
    """It holds the secret."""
    gateway.good("token", "create", "--svg", str(tmp_path / "code.svg"))
    assert stat.S_IMODE((tmp_path / "code.svg").stat().st_mode) == 0o600
    assert b"<svg" in (tmp_path / "code.svg").read_bytes()


def test_a_revoked_token_enrols_nobody(gateway: Cli) -> None:
    """By the first letters of its id; a second time it says so."""
    made = gateway.json("token", "create")
    gateway.good("token", "revoke", made["id"][:6])
    (listed,) = gateway.json("token", "list")
    assert listed["state"] == "revoked"
    assert "already" in gateway.good("token", "revoke", made["id"])
    assert [line["what"] for line in gateway.audit()] == ["token.create", "token.revoke"]


@pytest.mark.parametrize(
    "words",
    [
        ("create", "--uses", "0"),
        ("create", "--expires", "soon"),
        ("create", "--label", "a\nb"),
        ("revoke", "abcdef"),
        ("revoke", ""),
    ],
)
def test_what_cannot_be_is_a_sentence(gateway: Cli, words: tuple[str, ...]) -> None:
    """And nothing is done."""
    status, out, err = gateway.run("token", *words)
    assert (status, out, err.count("\n")) == (cli.USAGE, "", 1)
    assert gateway.json("token", "list") == []
    assert gateway.audit() == []


def test_of_two_that_begin_alike_none_is_taken(gateway: Cli) -> None:
    """Every token begins with one of 16 letters."""
    ids = [gateway.json("token", "create")["id"] for _ in range(17)]
    letter = next(each[0] for each in ids if sum(other[0] == each[0] for other in ids) > 1)
    status, _, err = gateway.run("token", "revoke", letter)
    assert (status, "tokens begin with" in err) == (cli.USAGE, True)
