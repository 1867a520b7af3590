"""tools/packages.py and installers/linux: what is packed for whom. The packages themselves: tests/packages."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import packages
from tools.packages import LINUX, configuration

WORDS = {
    "arch": "amd64",
    "version": "1.2.3",
    "maintainer": "Nobody <nobody@slopn.example>",
    "bundle": "/bundle",
    "made": "/made",
    "license": "",
    "python_deb": "",
    "python_rpm": "",
    "gi_deb": "",
    "gi_rpm": "",
}
NAMES = ("slopn", "slopn-helper", "slopn-gateway")


def every() -> list[tuple[str, str]]:
    """Each package in each format."""
    return [(name, kind) for name in NAMES for kind in packages.FORMATS]


def files(config: dict[str, Any]) -> dict[str, str]:
    """Where each thing of a package goes, and where it comes from."""
    return {each["dst"]: each["src"] for each in config["contents"]}


@pytest.mark.parametrize(("name", "kind"), every())
def test_all_that_it_names_is_there(name: str, kind: str) -> None:
    """Sources, and scripts that a shell can read."""
    config = configuration(name, kind, WORDS)
    for source in files(config).values():
        made_later = source.startswith(("/bundle", "/made", "../lib/")) or "/icons/rendered/" in source
        assert made_later or Path(source).exists(), source
    for script in config.get("scripts", {}).values():
        subprocess.run(["sh", "-n", LINUX / script], check=True)


@pytest.mark.parametrize("kind", packages.FORMATS)
def test_no_file_belongs_to_two_packages(kind: str) -> None:
    """dpkg and rpm refuse the second; folders of their own for man pages and icons may be shared."""
    shared = {"/usr/share/man/man1", "/usr/share/man/man8", "/usr/share/icons/hicolor"}
    places = [place for name in NAMES for place in files(configuration(name, kind, WORDS)) if place not in shared]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("kind", packages.FORMATS)
def test_the_front_ends_go_with_their_helper(kind: str) -> None:
    """Of the same version; and nothing is asked for that isn't named."""
    needs = configuration("slopn", kind, WORDS)["depends"]
    assert any(need.startswith("slopn-helper") and "= 1.2.3" in need for need in needs)
    assert all(needs)


def test_every_script_has_its_package() -> None:
    """And no two packages the same one."""
    named = [each for name, kind in every() for each in configuration(name, kind, WORDS).get("scripts", {}).values()]
    there = [path.relative_to(LINUX).as_posix() for path in (LINUX / "scripts").rglob("*") if path.is_file()]
    assert sorted(named) == sorted(there)


def test_pages_and_completions_are_the_command_lines_own(tmp_path: Path) -> None:
    """One page a verb and one for the helper, packed without a time; a script a shell."""
    packages.pages(tmp_path)
    assert (tmp_path / "man8/slopn-helper.8.gz").read_bytes()[4:8] == bytes(4)
    assert len(list((tmp_path / "man1").iterdir())) > 10
    assert {path.suffix for path in (tmp_path / "completions").iterdir()} == {".bash", ".zsh", ".fish"}


def test_appstream_and_desktop_are_content() -> None:
    """By their own judges."""
    for judge in (
        ["appstreamcli", "validate", "--no-net", str(LINUX / "org.slopn.SloPN.metainfo.xml")],
        ["desktop-file-validate", str(LINUX / "slopn-tray.desktop")],
    ):
        judged = subprocess.run(judge, capture_output=True, text=True, check=False)
        assert judged.returncode == 0, judged.stdout
