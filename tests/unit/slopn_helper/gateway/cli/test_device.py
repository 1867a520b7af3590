from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

import pytest

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import opened
from slopn_helper.gateway.types import DeviceKind
from support.gateway_cli import Cli


@pytest.fixture
def laptop(gateway: Cli) -> str:
    """The id of a device."""
    return enrol(gateway, "laptop")


def enrol(gateway: Cli, name: str) -> str:
    """A device's id."""

    async def main() -> str:
        async with opened.registry(gateway.config) as registry:
            key = secrets.token_bytes(32)
            return (await registry.add(name, key, DeviceKind.SLOPN, now=time.time(), expires=None)).device.id

    return asyncio.run(main())


def one(gateway: Cli, device: str) -> Any:
    """It, for programs."""
    return gateway.json("device", "show", device)


def test_devices_are_listed_and_shown(gateway: Cli, laptop: str) -> None:
    """For people and for programs."""
    (listed,) = gateway.json("device", "list")
    assert listed == one(gateway, "laptop") == one(gateway, laptop)
    assert len(listed["addresses"]) == 2
    assert listed["standing"] == "active"
    for out in (gateway.good("device", "list"), gateway.good("device", "show", "laptop")):
        assert laptop in out
        assert listed["addresses"][0] in out


def test_what_is_changed_is_in_force_and_recorded(gateway: Cli, laptop: str) -> None:
    """Each act once in the audit log, with the device's id."""
    gateway.good("device", "disable", "laptop")
    assert one(gateway, laptop)["standing"] == "disabled"
    gateway.good("device", "enable", "laptop")
    assert one(gateway, laptop)["standing"] == "active"
    gateway.good("device", "rename", "laptop", "{name} of Bob")
    assert one(gateway, laptop)["name"] == "{name} of Bob"
    gateway.good("device", "expire", laptop, "7d")
    assert abs(one(gateway, laptop)["expires"] - time.time() - 7 * 86400) < 3600
    gateway.good("device", "expire", laptop, "never")
    assert one(gateway, laptop)["expires"] is None
    gateway.good("device", "revoke", laptop)
    assert one(gateway, laptop)["standing"] == "revoked"
    whats = ["disable", "enable", "rename", "expire", "expire", "revoke"]
    assert [line["what"] for line in gateway.audit()] == [f"device.{what}" for what in whats]
    assert {line["on"] for line in gateway.audit()} == {laptop}
    assert gateway.audit()[2]["to"] == "{name} of Bob"


def test_an_enrolment_can_be_ended_now(gateway: Cli, laptop: str) -> None:
    """For good, as the registry has it."""
    gateway.good("device", "expire", laptop, "now")
    assert one(gateway, laptop)["standing"] == "expired"
    status, _, err = gateway.run("device", "expire", laptop, "7d")
    assert (status, "enrolled anew" in err) == (cli.FAILED, True)
    assert gateway.audit()[-1]["outcome"] == "failed"


def test_of_one_name_the_living_is_meant(gateway: Cli, laptop: str) -> None:
    """Two living ones of a name must be told apart by id."""
    gateway.good("device", "revoke", laptop)
    other = enrol(gateway, "laptop")
    assert one(gateway, "laptop")["id"] == other
    enrol(gateway, "laptop")
    status, _, err = gateway.run("device", "disable", "laptop")
    assert (status, other in err) == (cli.USAGE, True)


def test_names_are_shown_and_never_obeyed(gateway: Cli) -> None:
    """A name may hold what turns the writing round; the list has it written out."""
    enrol(gateway, "x﷽y")
    assert gateway.good("device", "list").count("\n") == 2


@pytest.mark.parametrize(
    "words", [("show", "nobody"), ("rename", "laptop", " x"), ("rename", "laptop", ""), ("expire", "laptop", "soon")]
)
def test_what_cannot_be_changes_nothing(gateway: Cli, laptop: str, words: tuple[str, ...]) -> None:
    """A sentence, and no line in the audit log."""
    before = one(gateway, laptop)
    status, out, err = gateway.run("device", *words)
    assert (status, out, err.count("\n")) == (cli.USAGE, "", 1)
    assert one(gateway, laptop) == before
    assert gateway.audit() == []


def test_a_name_is_said_as_it_is(gateway: Cli) -> None:
    """Whatever letters it has that mean something to a program."""
    device = enrol(gateway, "{name} of {{Bob}} %s")
    assert gateway.good("device", "enable", device) == "{name} of {{Bob}} %s may connect.\n"
