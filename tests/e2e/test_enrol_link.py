"""`slopn enrol` against the real gateway, from a computer that is blocked: what a person does with a link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.capture import Capture
from support.gateway_process import ENROLMENT_PORT, GatewayProcess
from support.helper_process import HelperProcess
from support.topology import GATEWAY4, WEB4, Lab
from support.until import until

WITHIN = 60.0


class Place:
    """A gateway, a computer with the kill switch always on, and what leaves its cable."""

    def __init__(self, lab: Lab, gateway: GatewayProcess, helper: HelperProcess, capture: Capture) -> None:
        self.lab = lab
        self.gateway = gateway
        self.helper = helper
        self.capture = capture

    def link(self) -> str:
        """A fresh one."""
        made = json.loads(self.gateway.cli("token", "create", "--json").stdout)
        return str(made["link"])

    def rules(self) -> str:
        """What is in force."""
        return self.lab.client.run(["nft", "list", "table", "inet", "slopn"]).stdout

    def told(self) -> list[str]:
        """The codes of the health list."""
        return [str(one["code"]) for one in self.helper.status()["warnings"]]

    def keys(self, folder: str) -> list[Path]:
        """Files of keys."""
        return list((self.helper.state_dir / folder).glob("*.json"))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """All of it, once for these tests, which go on from each other."""
    with Lab(uplinks=("eth0",)) as lab:
        lab.client.sysctl({"net/ipv4/conf/all/rp_filter": "2"})
        with (
            GatewayProcess(lab.gateway) as gateway,
            HelperProcess(lab.client) as helper,
            lab.capture() as capture,
        ):
            assert helper.cli("settings", "set", "kill_switch", "always").returncode == 0
            yield Place(lab, gateway, helper, capture)


def test_a_blocked_computer_enrols_connects_and_browses(place: Place) -> None:
    """The firewall lets the errand through and nothing else, and is shut again; then traffic goes through the tunnel."""
    assert place.lab.client.run(["ping", "-c1", "-W1", WEB4], check=False).returncode != 0
    done = place.helper.cli("enrol", "-", "--yes", "--name", "office", "--json", input=place.link(), timeout=WITHIN)
    assert done.returncode == 0, f"{done.stderr}\n{place.helper.tail()}\n{place.gateway.tail()}"
    profile = json.loads(done.stdout)["profile"]
    assert profile["enrolment"]["gateways"][0]["api"] == {"host": GATEWAY4, "port": ENROLMENT_PORT}
    assert str(ENROLMENT_PORT) not in place.rules()
    assert len(place.keys("secrets")) == 1
    assert place.keys("pending") == []
    connected = place.helper.cli("connect", "office", "--wait", "30", timeout=WITHIN)
    assert connected.returncode == 0, f"{connected.stderr}\n{place.helper.tail()}\n{place.gateway.tail()}"
    place.lab.client.run(["ping", "-c1", "-W5", WEB4])

    def protected() -> bool:
        (peer,) = place.gateway.status()["peers"]
        return bool(peer["post_quantum"])

    until(protected, WITHIN, "the gateway has a post-quantum key with the device")


def test_a_renewal_and_another_key_beside_the_tunnel(place: Place) -> None:
    """While connected; the tunnel stays up, and the next one uses the new key."""
    before = place.keys("secrets")
    assert place.helper.cli("enrol", "--renew", "office", timeout=WITHIN).returncode == 0
    rotated = place.helper.cli("enrol", "--rotate", "office", timeout=WITHIN)
    assert rotated.returncode == 0, f"{rotated.stderr}\n{place.helper.tail()}"
    assert place.keys("secrets") != before
    assert str(ENROLMENT_PORT) not in place.rules()
    place.lab.client.run(["ping", "-c1", "-W5", WEB4])
    assert place.helper.cli("reconnect", "--wait", "30", timeout=WITHIN).returncode == 0
    place.lab.client.run(["ping", "-c1", "-W5", WEB4])


def test_nothing_left_the_cable_but_the_errand_and_the_tunnel(place: Place) -> None:
    """Counted on the other end, over all that was done."""
    tally = place.capture.tally()
    assert set(tally.samples) == {"gateway/tcp"}, f"{tally} {tally.samples}"


@pytest.mark.long
def test_a_device_that_was_revoked_is_told_so(place: Place) -> None:
    """The gateway doesn't let it in, is asked why, and the health list says what to do."""
    (device,) = json.loads(place.gateway.cli("device", "list", "--json").stdout)
    place.gateway.cli("device", "revoke", device["id"])
    until(lambda: place.gateway.status()["peers"] == [], WITHIN, "the device is out")
    assert place.lab.client.run(["ping", "-c1", "-W1", WEB4], check=False).returncode != 0
    refused = place.helper.cli("enrol", "--renew", "office", timeout=WITHIN)
    assert refused.returncode == 1
    assert "Ask for a new link" in refused.stderr
    place.helper.cli("reconnect", timeout=WITHIN)
    until(lambda: "enrolment_ended" in place.told(), 120, "the end is told")


def test_a_link_that_is_spent_and_one_with_another_key(place: Place) -> None:
    """Said in a sentence each; nothing is stored, and the way is shut."""
    link = place.link()
    host, pin = link.partition("&pin=")[0], link.partition("&pin=")[2][:43]
    strange = place.helper.cli("enrol", "-", "--yes", "--name", "x", input=link.replace(pin, "A" * 43), timeout=WITHIN)
    assert strange.returncode == 1
    assert "nothing was sent" in strange.stderr
    assert place.helper.cli("enrol", "-", "--yes", "--name", "one", input=link, timeout=WITHIN).returncode == 0
    spent = place.helper.cli("enrol", "-", "--yes", "--name", "two", input=link, timeout=WITHIN)
    assert "Ask for a new one" in spent.stderr
    assert place.helper.cli("enrol", "-", "--yes", input=host, timeout=WITHIN).returncode == 2
    assert str(ENROLMENT_PORT) not in place.rules()
    assert place.helper.cli("profiles", "--names").stdout.split() == ["office", "one"]
