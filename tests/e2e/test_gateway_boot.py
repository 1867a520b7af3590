"""A bare Debian with a real systemd becomes a gateway: it goes on over crashes and boots, and goes without a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.boot_gateway import FULL, NAMES, SERVICE, BootGateway
from support.fingerprint import differences, fingerprint
from support.gateway_story import Story, documented, without_times
from support.helper_process import HelperProcess
from support.netns import Namespace
from support.topology import DNS4, GATEWAY4, GATEWAY6, WEB4, WEB_NAME
from support.until import until

WITHIN = 90.0
ATTEMPT = json.dumps({"token": "A" * 43, "name": "x", "public_key": "A" * 43, "proof": "A" * 43})


def browses(client: Namespace) -> bool:
    """Whether the web server is found by its name, and answers somebody who isn't the laptop."""
    done = client.run(["curl", "-sS", "-m", "5", f"http://{WEB_NAME}/"], check=False)
    return done.returncode == 0 and "10.1.0.2" not in done.stdout


def closed(boot: BootGateway) -> bool:
    """Whether the rules are in force, and nobody who could come in."""
    tables = boot.system.run("nft list tables").stdout
    links = boot.system.run("ip -o link").stdout
    return "inet slopn_gateway" in tables and "slopngw0" not in links


def traces(boot: BootGateway) -> set[str]:
    """What has our name below /etc, but for the settings, which are kept."""
    found = boot.system.run("find /etc -name '*slopn*'").stdout.split()
    return set(found) - {"/etc/slopn", f"/etc/systemd/system/{SERVICE}.d"}


def test_debian_becomes_a_gateway_and_is_itself_again() -> None:
    """`init`, a link, a device that browses; stopped it lets nobody through, and removed it leaves nothing."""
    with BootGateway() as boot, HelperProcess(boot.lab.client) as helper:
        before = fingerprint(boot.lab.gateway)
        boot.init("--dns", DNS4)
        assert boot.system.run(["systemctl", "is-enabled", SERVICE]).stdout == "enabled\n"
        link = json.loads(boot.call("token", "create", "--json").stdout)["link"]
        enrolled = helper.cli("enrol", link, "--yes")
        assert enrolled.returncode == 0, enrolled.stderr
        assert helper.cli("connect", "--wait", "60").returncode == 0, helper.tail()
        assert browses(boot.lab.client), boot.log()
        boot.system.run(["systemctl", "stop", SERVICE])
        assert closed(boot)
        assert not browses(boot.lab.client)
        boot.call("init", "--remove")
        assert differences(before, fingerprint(boot.lab.gateway)) == []
        assert traces(boot) == set()


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """With unbound and Fail2Ban as Debian has them: told, and at work."""
    with BootGateway(FULL) as boot, HelperProcess(boot.lab.client) as helper:
        made = Story(boot, helper)
        made.tell()
        yield made


@pytest.mark.long
def test_its_transcript_stands_in_the_documentation(story: Story) -> None:
    """But for the times; nothing is bad, and of what isn't good there is only the machine's own clock."""
    findings = json.loads(story.boot.call("doctor", "--json").stdout)["findings"]
    assert {each["check"] for each in findings if each["verdict"] != "ok"} <= {"clock"}
    assert story.boot.system.run(f"systemctl is-active {SERVICE} {NAMES} fail2ban").stdout.split() == ["active"] * 3
    assert browses(story.boot.lab.client)
    assert without_times(documented()) == without_times(story.transcript()), "run `make gateway-transcript`"


@pytest.mark.long
def test_killed_it_is_back_by_itself(story: Story) -> None:
    """By systemd; devices that are connected go on without a word."""
    before = story.boot.restarts()
    story.boot.system.run(["systemctl", "kill", "--signal=KILL", SERVICE])
    until(lambda: story.boot.restarts() > before, WITHIN, "systemd has started it again")
    story.boot.system.wait_unit(SERVICE, timeout=WITHIN)
    until(lambda: browses(story.boot.lab.client), WITHIN, "the device browses again")


@pytest.mark.long
def test_after_a_boot_all_is_as_before(story: Story) -> None:
    """Gateway, names and Fail2Ban start, and the device connects again by itself."""
    story.boot.reboot()
    assert story.boot.system.run(f"systemctl is-active {SERVICE} {NAMES} fail2ban").stdout.split() == ["active"] * 3
    until(lambda: browses(story.boot.lab.client), WITHIN, "the device browses again")
    story.helper.wait_state("connected", WITHIN)


@pytest.mark.long
@pytest.mark.parametrize(("there", "source"), [(GATEWAY4, f"{WEB4}/32"), (f"[{GATEWAY6}]", "2001:db8:ffff::/64")])
def test_fail2ban_bans_who_tries_tokens(story: Story, there: str, source: str) -> None:
    """Debian's own, by the journal, told by `init` alone; one view shows both sides' bans, and lifts them."""

    def by() -> set[str]:
        bans = json.loads(story.boot.call("bans", "list", "--json").stdout)["bans"]
        return {each["by"] for each in bans if each["source"] == source}

    url = f"https://{there}:8443/v1/enrol"
    for _ in range(5):
        story.boot.lab.web.run(["curl", "-sk", "-m", "10", "-d", ATTEMPT, url], check=False)
    until(lambda: by() == {"gateway", "fail2ban"}, WITHIN, f"{source} is banned by both")
    story.boot.call("bans", "lift", source)
    until(lambda: by() == set(), WITHIN, f"{source} may come again")


@pytest.mark.long
def test_removed_it_leaves_its_settings_and_data_alone(story: Story) -> None:
    """Told last: Debian's unbound and Fail2Ban go on without us."""
    boot = story.boot
    boot.call("init", "--remove")
    assert traces(boot) == set()
    assert boot.system.run("nft list tables").stdout == ""
    assert boot.system.run("cat /proc/sys/net/ipv4/ip_forward").stdout == "0\n"
    assert boot.system.run("systemctl is-active fail2ban unbound").stdout.split() == ["active"] * 2
    assert "no jail" in boot.system.run("fail2ban-client status slopn || echo no jail", check=False).stdout
    assert boot.system.run("test -s /var/lib/slopn/gateway/registry.db && echo kept").stdout == "kept\n"
