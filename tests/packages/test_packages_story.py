"""From a signed repository to `apt purge` on a computer that boots, by the packages that are shipped: `make test-packages`.

The tests are one story, in this order. Somebody sends all the time, and the router counts what it sees.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.boot import BootedSystem
from support.boot_lab import EARLY, HELPER, PROFILE, STATE, BootLab
from support.gateway import TUNNEL4
from support.package_files import LATER, Shop, built, computer, differences, suites
from support.tiny_packages import a_key
from support.topology import WEB4, WEB_NAME
from tools.signing import Key

pytestmark = pytest.mark.packages
MOST_EXPOSED = 3.0
"""As `systemd-analyze security` reckons it: 0 is nothing at all, 10 a service without any limit."""
LAB = f"/etc/systemd/system/{HELPER}.d/lab.conf"
LEFT = Path(__file__).with_name("left.txt")


class Story(BootLab):
    """With the packages slopn-helper and slopn, and a later version of each at hand."""

    def __init__(self, folder: Path, key: Key, suite: str | None) -> None:
        self.now, self.later = built(folder, "slopn-helper", "slopn")
        super().__init__(there=("systemd-resolved",), suite=suite, install=self._buy)
        self.shop = Shop(self.system, key)
        self.before: set[str] = set()
        self.refused: list[str] = []
        """What apt said of a repository that somebody had spoilt."""

    def _buy(self, system: BootedSystem) -> None:
        system.run("systemctl start lab-sender")
        self.before = computer(system)
        self.shop.open(self.now)
        self._spoil(self.shop.file("InRelease"), b"Label: SloPN", b"Label: Other", "update")
        self.shop.do("update")
        package = self.shop.file("slopn-helper_*.deb")
        self._spoil(package, package.read_bytes()[-8:], b"tampered", "install", "slopn")
        self.shop.do("install", "slopn")

    def _spoil(self, file: Path, what: bytes, instead: bytes, *words: str) -> None:
        """Have apt do something while the file isn't as it was signed; nothing may come of it."""
        whole = file.read_bytes()
        file.write_bytes(whole.replace(what, instead))
        self.refused.append(self.shop.refuse(*words))
        file.write_bytes(whole)
        assert self.system.run("dpkg-query -W -f '${Package}' 'slopn*'", check=False).stdout == ""

    def asked(self) -> subprocess.Popen[str]:
        """`slopn status --json`, begun now."""
        return self.system.popen(
            ["slopn", "status", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module", params=suites(), ids=lambda suite: suite or "this release")
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Installed, the helper running, disconnected."""
    with a_key() as key, Story(tmp_path_factory.mktemp("packages"), key, request.param) as told:
        yield told


def answer(asked: subprocess.Popen[str]) -> str:
    """The state that it was told; it must have been served."""
    out, errors = asked.communicate(timeout=60.0)
    assert asked.returncode == 0, errors
    state: str = json.loads(out)["state"]
    return state


def test_what_somebody_has_changed_is_refused(story: Story) -> None:
    """The list by its signature, a package by its hash, each before anything was installed."""
    metadata, package = story.refused
    assert re.search("BADSIG|invalid|has been manipulated", metadata), metadata
    assert re.search("Hash Sum mismatch|unexpected size", package), package


def test_it_is_narrow_and_works(story: Story) -> None:
    """As installed, without what the lab adds to the unit: no more exposed than it may be, and the tunnel comes up."""
    system = story.system
    system.run(f"mv {LAB} /var/tmp/lab.conf; systemctl daemon-reload; systemctl restart {HELPER}")
    assert system.run(f"systemctl is-enabled {HELPER} {EARLY}").stdout.split() == ["enabled"] * 2
    judged = system.run(
        ["systemd-analyze", "security", f"--threshold={MOST_EXPOSED * 10:.0f}", "--no-pager", HELPER], check=False
    )
    assert judged.returncode == 0, judged.stdout
    story.slopn("connect", PROFILE, "--wait", "30")
    assert not story.open_now()
    assert TUNNEL4 in system.run("resolvectl dns slopn0").stdout
    assert WEB4 in system.run(["resolvectl", "query", "--cache=no", WEB_NAME]).stdout
    story.slopn("disconnect")
    assert TUNNEL4 not in system.run("resolvectl dns").stdout
    system.run(f"mv /var/tmp/lab.conf {LAB}; systemctl daemon-reload; systemctl restart {HELPER}")


def test_who_asks_a_helper_that_hangs_is_answered_by_the_next(story: Story) -> None:
    """The watchdog kills it and systemd starts another: the socket was systemd's meanwhile, and kept who waited."""
    story.system.write(f"{Path(LAB).parent}/soon.conf", "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n")
    story.system.run(f"systemctl daemon-reload; systemctl restart {HELPER}")
    story.system.run(["systemctl", "kill", "--signal=STOP", HELPER])
    asked = story.asked()
    assert answer(asked) == "disconnected"
    assert story.restarts() == 1
    story.system.run(f"rm {Path(LAB).parent}/soon.conf; systemctl daemon-reload; systemctl restart {HELPER}")


def test_stopped_is_stopped(story: Story) -> None:
    """Nobody who connects starts it again, and the sentence says what to do; the socket unit is for who wants that."""
    story.system.run(["systemctl", "stop", HELPER])
    assert story.system.run(["slopn", "status"], check=False).returncode == 3
    assert story.system.run(["systemctl", "is-active", HELPER], check=False).stdout == "inactive\n"
    story.system.run(["systemctl", "start", "slopn-helper.socket"])
    assert answer(story.asked()) == "disconnected"
    story.system.run(f"systemctl stop slopn-helper.socket {HELPER}; systemctl start {HELPER}")


def test_always_is_closed_over_a_boot_until_connected(story: Story) -> None:
    """Nothing leaves in clear from the network's start on; then the tunnel comes up."""
    story.mode("always")
    story.reboot(off=story.system.cut_power)
    story.capture.reset()
    assert story.leaks().total == 0
    assert "always" in story.system.journal(EARLY)
    story.slopn("connect", PROFILE, "--wait", "30")
    assert story.leaks().total == 0
    story.mode("on")


def test_an_upgrade_keeps_tunnel_and_block(story: Story) -> None:
    """In mode `on` with the tunnel up: nothing leaves in clear between the old helper and the new one, whoever asks waits."""
    story.slopn("connect", PROFILE, "--wait", "30")
    story.capture.reset()
    before = story.system.run(["systemctl", "show", HELPER, "-P", "MainPID"]).stdout
    story.shop.open(story.later)
    story.shop.do("update")
    story.shop.do("install", "slopn", "slopn-helper")
    assert story.system.run(["systemctl", "show", HELPER, "-P", "MainPID"]).stdout != before
    story.wait_state("connected")
    assert story.leaks().total == 0


def test_a_downgrade_is_refused(story: Story) -> None:
    """With a sentence that says what to do; the newer one runs on."""
    story.shop.open(story.now)
    story.shop.do("update")
    version = story.now[0].name.split("_")[1]
    said = story.shop.refuse("install", "--allow-downgrades", f"slopn-helper={version}", f"slopn={version}")
    assert re.search(r"which is newer than .*: it stays, and nothing was changed", said), said
    assert story.system.run("dpkg-query -W -f '${Version}' slopn-helper").stdout == LATER
    story.wait_state("connected")


def test_removal_opens_and_keeps_settings(story: Story) -> None:
    """Also in mode `always`."""
    story.mode("always")
    assert not story.open_now()
    story.shop.do("remove", "slopn", "slopn-helper")
    assert story.system.run("nft list tables").stdout == ""
    assert story.open_now()
    assert story.system.run(f"ls {STATE}/settings.json").stdout


def test_a_purge_leaves_nothing(story: Story) -> None:
    """Files, rules, routes, users, groups, units and settings are as before the installation, but for `left.txt`."""
    story.shop.do("purge", "slopn", "slopn-helper")
    story.shop.close()
    left = "\n".join(differences(story.before, computer(story.system), LEFT))
    assert not left, left


def test_the_patterns_are_few() -> None:
    """Each with its reason."""
    lines = LEFT.read_text().splitlines()
    assert len(lines) <= 15
    assert all("  # " in line for line in lines)
