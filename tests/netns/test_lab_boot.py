from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.boot import BIN, BootedSystem
from support.boot_holder import sweep
from support.boot_login import Login
from support.netns import Namespace, veth
from support.until import until

UNIT = """
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/echo up
ExecStop=/bin/echo down in order
[Install]
WantedBy=multi-user.target
"""
NOTIFIER = """
[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'systemd-notify --ready --status="as ready as can be"; exec sleep infinity'
"""
VICTIM = """
import sys
from support.boot import BootedSystem
with BootedSystem() as system:
    print(system.root, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def system() -> Iterator[BootedSystem]:
    """One for all tests that leave nothing behind."""
    with BootedSystem(files={"/etc/lab": "written before the first boot\n"}) as booted:
        yield booted


def test_systemd_runs_with_journal_bus_and_logind(system: BootedSystem) -> None:
    """It is process 1, and everything that starts at boot is up."""
    assert system.run("cat /proc/1/comm; systemctl is-system-running").stdout.split() == ["systemd", "running"]
    for unit in ("systemd-journald", "dbus", "systemd-logind"):
        system.wait_unit(unit)
    assert system.run("cat /etc/lab").stdout == "written before the first boot\n"


def test_the_machine_is_out_of_reach(system: BootedSystem) -> None:
    """It has its own host name, network and processes; settings other than the network's, and the checkout, stay."""
    assert system.run(["hostname"]).stdout.strip() != os.uname().nodename
    assert system.run("ls /sys/class/net").stdout.split() == ["lo"]
    assert "pytest" not in system.run("cat /proc/[0-9]*/cmdline", check=False).stdout
    for path in ("/proc/sys/kernel/pid_max", "/sys/kernel/uevent_seqnum", BIN / "slopn"):
        assert "Read-only file system" in system.run(f"true >>{path}", check=False).stderr, path
    system.run("echo 1 >/proc/sys/net/ipv4/ip_forward")
    assert "not permitted" in system.run("systemd-run --pipe --wait date -s @0", check=False).stderr


def test_the_project_runs_inside(system: BootedSystem) -> None:
    """The virtual environment's programs work, with its compiled parts and the system's own libnftables."""
    done = system.run([str(BIN / "python"), "-c", "import slopn_engine, slopn_helper.bootstrap as b; print(b)"])
    assert "slopn_helper/bootstrap.py" in done.stdout
    assert system.run([str(BIN / "slopn"), "--help"]).stdout.startswith("usage: slopn")


def test_a_unit_says_that_it_is_ready(system: BootedSystem) -> None:
    """Type=notify works as on a real computer, and the journal has what a unit prints."""
    system.add_unit("notifier.service", NOTIFIER)
    system.run(["systemctl", "start", "notifier"])
    assert "as ready as can be" in system.run(["systemctl", "show", "-P", "StatusText", "notifier"]).stdout
    assert "Started notifier.service" in system.journal()
    system.run(["systemctl", "stop", "notifier"])


def test_commands_run_as_users_and_in_sessions(system: BootedSystem) -> None:
    """As a user with their groups and nothing of root's, and as a part of the user's login session."""
    system.run(["groupadd", "choir"])
    uid = system.add_user("nina", "choir")
    shown = system.run("id; cd; pwd; grep CapEff /proc/self/status; cat /proc/self/cgroup", user="nina").stdout
    assert f"uid={uid}(nina)" in shown
    assert "(choir)" in shown
    assert "/home/nina" in shown
    assert "CapEff:\t0000000000000000" in shown
    assert "session" not in shown
    with Login(system, "nina", seat="seat0") as login:
        assert login.show("Active") == "yes"
        assert f"session-{login.id}.scope" in login.run("id >/dev/null; cat /proc/self/cgroup").stdout
    with Login(system, "nina", remote="192.0.2.7") as login:
        assert (login.show("Remote"), login.show("RemoteHost"), login.show("Seat")) == ("yes", "192.0.2.7", "")


def test_a_failed_command_says_what_it_printed(system: BootedSystem) -> None:
    """The status and the words of the command are in the error."""
    with pytest.raises(RuntimeError, match=r"ended with 3: no such luck"):
        system.run("echo no such luck >&2; exit 3")


def test_it_reboots_and_loses_power() -> None:
    """What is on disk stays; a unit is stopped in order by a reboot, and dies with the power."""
    with BootedSystem() as system:
        system.add_unit("marker.service", UNIT)
        system.run(["systemctl", "enable", "--now", "marker"])
        system.run("echo kept >/var/lib/kept; echo lost >/run/lost")
        system.reboot()
        assert system.run("cat /var/lib/kept; ls /run/lost", check=False).stdout == "kept\n"
        assert [line for line in system.journal("marker").splitlines() if line in {"up", "down in order"}] == ["up"]
        assert "down in order" in system.journal("marker", boot=-1)
        system.run(["journalctl", "--sync"])
        system.cut_power()
        assert not system.is_on
        system.write("/etc/lab", "written while it was off\n")
        system.boot()
        assert system.run("cat /etc/lab").stdout == "written while it was off\n"
        assert "down in order" not in system.journal("marker", boot=-1)
        system.power_off()
        assert not system.is_on


def test_a_boot_with_a_failed_unit_is_an_error() -> None:
    """A test never goes on with a system that is half up; the message names the unit."""
    broken = {
        "/etc/systemd/system/broken.service": UNIT.replace("/bin/echo up", "/bin/false"),
        "/etc/systemd/system/multi-user.target.d/broken.conf": "[Unit]\nWants=broken.service\n",
    }
    with pytest.raises(RuntimeError, match=r"degraded: broken\.service"), BootedSystem(files=broken):
        pass


def test_it_joins_a_network_of_the_lab() -> None:
    """With a namespace of the lab, the system has that one's devices, also after a reboot."""
    with Namespace("here") as here, Namespace("there") as there:
        veth(here, "cable0", there, "cable0")
        with BootedSystem(namespace=here) as system:
            system.reboot()
            assert set(system.run("ls /sys/class/net").stdout.split()) == {"cable0", "lo"}
            system.run("ip address add 192.0.2.1/24 dev cable0")
            assert "192.0.2.1" in here.run(["ip", "-brief", "address"]).stdout


def test_nothing_is_left_when_the_test_is_killed() -> None:
    """Every process of the system ends with the test's, and its folder and control group with the next test's start."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert victim.stdin is not None
    assert victim.stdout is not None
    root = victim.stdout.readline().strip()
    tag = root.split("/")[-2].removesuffix("-boot")
    assert processes_of(tag)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    victim.stdin.close()
    victim.stdout.close()
    until(lambda: not processes_of(tag), 10, "its processes are gone")
    until(lambda: not [line for line in mounts() if tag in line], 10, "its mounts are gone")
    sweep()
    assert list(Path(tempfile.gettempdir()).glob(f"{tag}*")) == []
    with BootedSystem() as system:
        assert not (system._holder.group.parent / tag).exists()


def processes_of(tag: str) -> list[int]:
    """Those with the system's mark in their environment or arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if tag.encode() in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def mounts() -> list[str]:
    """What is mounted on this machine, as this process sees it."""
    return Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
