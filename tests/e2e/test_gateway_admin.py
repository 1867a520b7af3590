"""What a gateway's administrator does, on a real one: set it up, look at it, let a phone in, keep somebody out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.gateway import config_file, names
from slopn_helper.gateway.cli import asked
from support.netns import Namespace
from support.topology import GATEWAY4, Lab
from support.unbound import SERVER
from support.until import until

PROGRAM = [sys.executable, "-m", "slopn_helper.gateway"]
WITHIN = 60.0
_ROOT = """
server:
    local-zone: "." transparent
    local-data: ". 3600 IN NS a.root-servers.net."
"""
"""The root's name servers aren't in the lab."""


class Server:
    """A gateway that `init` has made in a namespace, and its administrator."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.paths = ["--config", f"{folder}/gateway.toml", "--state-dir", f"{folder}/state"]
        self.paths += ["--runtime-dir", f"{folder}/run"]

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One verb."""
        return self.namespace.run([*PROGRAM, *words, *self.paths], check=False)

    def json(self, *words: str) -> Any:
        """What one says to programs."""
        done = self.call(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def doctor(self) -> tuple[int, list[str]]:
        """Its exit status, and what it finds bad."""
        done = self.call("doctor", "--json")
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)["findings"]
        return done.returncode, [each["check"] for each in found if each["verdict"] == "failed"]

    def peers(self) -> list[str]:
        """Who may connect, as the gateway says."""
        return [each.device for each in asked.status(self.folder / "run/admin.sock").peers]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A gateway's host with a way to the internet, and a client."""
    with Lab(uplinks=("eth0",)) as made:
        yield made


@pytest.fixture(scope="module")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Set up by `init`, and serving, with unbound beside it as the unit runs it."""
    made = Server(lab.gateway, tmp_path_factory.mktemp("admin"))
    done = made.call("init", "--endpoint", GATEWAY4, "--no-start")
    assert done.returncode == 0, done.stderr
    unbound = made.folder / "unbound.conf"
    found = config_file.load(made.folder / "gateway.toml").pools
    unbound.write_text(names.config((*found.ipv4, *found.ipv6), None) + _ROOT, encoding="utf-8")
    with (made.folder / "log").open("wb") as log:
        servers = [
            made.namespace.popen([*PROGRAM, "serve", *made.paths], stdout=log, stderr=log),
            made.namespace.popen([SERVER, "-d", "-p", "-c", str(unbound)], stdout=log, stderr=log),
        ]
    try:
        until(lambda: made.call("status").returncode == 0, WITHIN, f"the gateway serves (its log: {made.folder}/log)")
        yield made
    finally:
        for process in servers:
            process.terminate()
        for process in servers:
            process.wait(WITHIN)


def test_the_doctor_finds_nothing_bad(server: Server) -> None:
    """All that is there is good; another firewall that drops is named."""
    assert server.doctor() == (0, [])
    server.namespace.nft("table inet foreign { chain f { type filter hook forward priority 0; policy drop; }; }")
    assert server.doctor() == (1, ["others"])
    server.namespace.run(["nft", "delete", "table", "inet", "foreign"])


def test_a_phone_is_let_in_and_shut_out(server: Server) -> None:
    """The running gateway hears of it by the registry: its status has the device, and then hasn't."""
    made = server.json("device", "add", "phone", "--wireguard")
    until(lambda: server.peers() == [made["id"]], WITHIN, "it may connect")
    assert server.json("status")["peers"][0]["name"] == "phone"
    assert server.call("device", "disable", "phone").returncode == 0
    until(lambda: not server.peers(), WITHIN, "it may not")
    assert server.call("device", "revoke", "phone").returncode == 0
    assert server.json("device", "list")[0]["standing"] == "revoked"


def test_somebody_is_kept_out_by_hand(server: Server) -> None:
    """In the kernel's set while the gateway runs, which takes it up; never whom the gateway must let in."""
    assert server.call("bans", "add", "198.51.100.66", "--for", "1h").returncode == 0
    listed = server.namespace.run(["nft", "list", "set", "inet", "slopn_bans", "banned4"]).stdout
    assert "198.51.100.66" in listed
    (ban,) = server.json("bans", "list")["bans"]
    assert (ban["source"], ban["why"]) == ("198.51.100.66/32", "by_hand")
    assert server.call("bans", "add", GATEWAY4).returncode == 2
    assert server.call("bans", "lift", "198.51.100.66").returncode == 0
    assert server.json("bans", "list")["bans"] == []


@pytest.mark.long
def test_a_backup_is_put_back_under_a_running_gateway(server: Server) -> None:
    """Who was enrolled then may connect again, who came later may not."""
    first = server.json("device", "add", "laptop", "--wireguard")["id"]
    saved = str(server.folder / "saved")
    assert server.call("backup", saved).returncode == 0
    server.json("device", "add", "tablet", "--wireguard")
    until(lambda: len(server.peers()) == 2, WITHIN, "both may connect")
    assert server.call("restore", saved, "--yes").returncode == 0
    until(lambda: server.peers() == [first], WITHIN, "one alone may")


def test_the_figures_are_on_loopback(server: Server) -> None:
    """Prometheus' text; and ready."""
    url = "http://127.0.0.1:9586"
    assert "slopn_gateway_serving 1.0" in server.namespace.run(["curl", "-sf", f"{url}/metrics"]).stdout
    assert json.loads(server.namespace.run(["curl", "-sf", f"{url}/readyz"]).stdout)["ready"]
    assert server.namespace.run(["curl", "-sf", f"{url}/status"], check=False).returncode != 0


def test_each_act_is_in_the_audit_log(server: Server) -> None:
    """And no key of it."""
    text = (server.folder / "state/audit.jsonl").read_text(encoding="utf-8")
    whats = [json.loads(line)["what"] for line in text.splitlines()]
    assert whats[0] == "init"
    assert {"device.add", "device.disable", "device.revoke", "ban.add", "ban.lift"} <= set(whats)
    assert "PrivateKey" not in text
