"""Windows' installer from the outside: installed, repaired, upgraded, uninstalled on a computer of its own under Wine.

Real under Wine: files, registry, services, processes, the pipe. Not real: who may write where, and every rule of the
firewall, recovery actions and delayed start (Wine 8 forgets them); the runner does these (docs/windows.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.wine_computer import Computer, Traces
from tools import dist
from tools.windows import installer, wine

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("wine")]

HOME = "Program Files/SloPN"
SERVICE = r"HKLM\System\CurrentControlSet\Services\SloPN"
UNINSTALL = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall\SloPN"
NEWER = "0.1.1"
DONE = {0, 3}
"""Installed, and 3: the service doesn't start, as long as the helper has no role `service` on Windows."""


@pytest.fixture(scope="module")
def setup_program() -> Path:
    """What `make dist-windows` has made."""
    made = installer.INTO / f"slopn-{dist.version()}-x64-setup.exe"
    assert made.is_file(), "run `make dist-windows` first"
    return made


@pytest.fixture(scope="module")
def computer() -> Iterator[Computer]:
    """Bare; some programs have run on it, so that what Wine itself keeps is there already."""
    made = Computer(wine.HOME / "installed")
    made.run("sc", "query", "SloPN")
    made.run("taskkill", "/F", "/IM", "nothing.exe")
    yield made
    made.shut_down()


@pytest.fixture(scope="module")
def before(computer: Computer) -> Traces:
    """What was there before."""
    return computer.traces()


@pytest.fixture(scope="module")
def installed(computer: Computer, before: Traces, setup_program: Path) -> Computer:
    """Installed in silence."""
    assert before.files
    done = computer.run(setup_program, "/S")
    assert done.status in DONE, done.said
    return computer


def test_everything_is_where_it_belongs(installed: Computer) -> None:
    """Programs that start, the service as it must be, the entry in Windows' list of programs, links and profiles."""
    for program in ("slopn/slopn.exe", "slopn-helper/slopn-helper.exe"):
        done = installed.run(installed.path(f"{HOME}/{program}"), "--version")
        assert (done.status, done.said.strip()) == (0, f"{Path(program).stem} {dist.version()}")
    found = installed.traces().values
    values = {line.partition("|")[0].lower() + "|" + line.partition("|")[2] for line in found}

    def has(key: str, value: str) -> bool:
        return f"{key.lower()}|{value}" in values

    image = r'"ImagePath"=str(2):"\"C:\\Program Files\\SloPN\\slopn-helper\\slopn-helper.exe\" service"'
    assert has(SERVICE, image) or has(SERVICE, image.replace("str(2):", ""))
    assert has(SERVICE, '"Start"=dword:00000002')
    assert has(UNINSTALL, f'"DisplayVersion"="{dist.version()}"')
    assert has(
        r"HKLM\Software\Classes\slopn\shell\open\command",
        r'@="\"C:\\Program Files\\SloPN\\slopn\\slopn-window.exe\" \"%1\""',
    )
    assert has(r"HKLM\Software\Classes\.conf\OpenWithProgids", '"SloPN.Profile"=""')
    assert has(
        r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run",
        r'"SloPN"="\"C:\\Program Files\\SloPN\\slopn\\slopn-tray.exe\" --login"',
    )


def test_the_command_line_talks_to_the_service(installed: Computer) -> None:
    """Over the pipe, by the frozen programs alone."""
    installed.run("net", "start", "SloPN")
    done = installed.run(installed.path(f"{HOME}/slopn/slopn.exe"), "status", "--json")
    assert done.status == 0, done.said
    assert "disconnected" in done.said.lower()


def test_installing_again_repairs(installed: Computer, setup_program: Path) -> None:
    """A file that is gone and a service that doesn't start at boot are as they were, and a user's choice stays."""
    lost = installed.path(f"{HOME}/slopn-helper/lib/python313.dll")
    installed.run("net", "stop", "SloPN")
    lost.unlink()
    run = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run"
    assert installed.run("reg", "delete", run, "/v", "SloPN", "/f").status == 0
    installed.run(
        "reg", "add", r"HKLM\System\CurrentControlSet\Services\SloPN", "/v", "Start", "/t", "REG_DWORD", "/d", "4", "/f"
    )
    done = installed.run(setup_program, "/S")
    assert done.status in DONE, done.said
    assert lost.is_file()
    left = {path.name for path in installed.path(HOME).iterdir()}
    assert left == {"slopn", "slopn-helper", "uninstall.exe"}
    values = installed.traces().values
    assert not any(line.startswith(f"{run}|") and "SloPN" in line for line in values)
    assert f'{SERVICE}|"Start"=dword:00000002'.lower() in {line.lower() for line in values}


def test_a_newer_one_upgrades(installed: Computer, tmp_path: Path) -> None:
    """The version in the list is the new one; state that lies beside the programs is kept."""
    kept = installed.path("ProgramData/SloPN/kept")
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("by an upgrade")
    newer = installer.package(installer.FROZEN, tmp_path, NEWER)
    done = installed.run(newer, "/S")
    assert done.status in DONE, done.said
    assert f'{UNINSTALL}|"DisplayVersion"="{NEWER}"' in installed.traces().values
    assert kept.is_file()


def test_a_program_that_holds_a_file_changes_nothing(installed: Computer, setup_program: Path) -> None:
    """Somebody's program in our folder keeps it from being moved; what was installed stays and runs.

    Wine moves a folder with open files, Windows doesn't: here a file in the way of the folder is what can't be moved.
    """
    blocked = installed.path(f"{HOME}/before")
    blocked.write_text("not a folder")
    done = installed.run(setup_program, "/S")
    blocked.unlink(missing_ok=True)
    assert done.status in {*DONE, 2}, done.said
    program = installed.path(f"{HOME}/slopn-helper/slopn-helper.exe")
    assert installed.run(program, "--version").status == 0


def test_uninstalling_leaves_no_trace(installed: Computer, before: Traces, tmp_path: Path) -> None:
    """Files, registry and services are those of before."""
    # A copy, told a place, runs until it is done; the original hands on to a copy and returns at once.
    copy = tmp_path / "uninstall.exe"
    copy.write_bytes(installed.path(f"{HOME}/uninstall.exe").read_bytes())
    done = installed.run(copy, "/S", r"_?=C:\SloPN")
    assert done.status == 0, done.said
    after = installed.traces()
    assert after.files - before.files == set()
    assert before.files - after.files == set()
    assert {line for line in after.values - before.values if "slopn" in line.lower()} == set()
