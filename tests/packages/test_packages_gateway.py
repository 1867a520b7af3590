"""The gateway's package on a computer that boots: installed, made a gateway, removed and purged, as docs/gateway.md says.

The tests are one story, in this order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from support.boot_gateway import FULL, NAMES, SERVICE, BootGateway
from support.helper_process import HelperProcess
from support.package_files import Shop, built_now, computer, differences
from support.tiny_packages import a_key
from support.topology import WEB_NAME
from tools.signing import Key

pytestmark = pytest.mark.packages
LEFT = Path(__file__).with_name("left.txt")
PROGRAM = "/usr/sbin/slopn-gateway"


class Story(BootGateway):
    """With Debian's unbound and Fail2Ban, and the package at hand."""

    def __init__(self, folder: Path, key: Key) -> None:
        (self.package,) = built_now(folder, "slopn-gateway")
        super().__init__(FULL, PROGRAM)
        self._key = key

    def __enter__(self) -> Self:
        super().__enter__()
        self.shop = Shop(self.system, self._key)
        self.before = computer(self.system)
        self.shop.open([self.package])
        self.shop.do("update")
        self.shop.do("install", "slopn-gateway")
        return self


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Installed from the signed repository."""
    with a_key() as key, Story(tmp_path_factory.mktemp("gateway"), key) as told:
        yield told


def test_it_changes_nothing_but_files(story: Story) -> None:
    """Neither rules nor units that run: that is for `init`."""
    assert story.system.run(f"systemctl is-active {SERVICE} {NAMES}", check=False).stdout.split() == ["inactive"] * 2
    assert story.system.run("nft list tables").stdout == ""
    assert story.call("--version").stdout.strip()


def test_init_makes_a_gateway_that_devices_browse_by(story: Story) -> None:
    """Its units are the package's, and Fail2Ban has our jail."""
    story.init()
    assert story.system.run(f"systemctl is-active {SERVICE} {NAMES} fail2ban").stdout.split() == ["active"] * 3
    where = story.system.run(["systemctl", "show", SERVICE, "-P", "FragmentPath"]).stdout.strip()
    assert where in {f"/lib/systemd/system/{SERVICE}", f"/usr/lib/systemd/system/{SERVICE}"}
    assert "Currently banned" in story.system.run("fail2ban-client status slopn").stdout
    with HelperProcess(story.lab.client) as helper:
        link = json.loads(story.call("token", "create", "--json").stdout)["link"]
        enrolled = helper.cli("enrol", link, "--yes")
        assert enrolled.returncode == 0, enrolled.stderr
        assert helper.cli("connect", "--wait", "60").returncode == 0, helper.tail()
        seen = story.lab.client.run(["curl", "-sS", "-m", "20", f"http://{WEB_NAME}/"]).stdout
        assert "10.1.0.2" not in seen
        helper.cli("disconnect", "--wait", "20")


def test_removal_stops_it_and_keeps_keys(story: Story) -> None:
    """Rules, forwarding and Fail2Ban's files are gone; registry and settings stay."""
    story.shop.do("remove", "slopn-gateway")
    assert story.system.run("nft list tables").stdout == ""
    assert story.system.run("cat /proc/sys/net/ipv4/ip_forward").stdout == "0\n"
    assert story.system.run("find /etc/fail2ban -name '*slopn*'").stdout == ""
    assert story.system.run("ls /var/lib/slopn/gateway /etc/slopn/gateway.toml").stdout


def test_a_purge_leaves_nothing(story: Story) -> None:
    """State and keys are gone; the rest is as before, but for `left.txt` and the logs of who runs on."""
    story.shop.do("purge", "slopn-gateway")
    story.shop.close()
    left = "\n".join(differences(story.before, computer(story.system), LEFT))
    assert not left, left
