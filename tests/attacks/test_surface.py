"""docs/attack-surface.md against a helper that runs, and its tunnel."""

from __future__ import annotations

import fnmatch
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from attacks.field import Field
from attacks.hostility import wg
from slopn_helper.__main__ import _parser
from slopn_wire.commands import ApplySettings, Connect, Disconnect, GetSnapshot, ImportProfile, RemoveUser
from slopn_wire.events import Done, Snapshot
from slopn_wire.settings import Settings
from slopn_wire.state import Connecting, Step
from support.netns import Namespace, veth
from support.until import until

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/attack-surface.md"
SOURCES = (ROOT / "app/src", ROOT / "helper/src")
KINDS = {"socket": stat.S_ISSOCK, "file": stat.S_ISREG, "directory": stat.S_ISDIR}
_ROW = re.compile(r"^\| `([^`]+)` \| (\w+) \| ([\w:]+) \| (0[0-7]{3}) \|", re.MULTILINE)


class Row(NamedTuple):
    """An object as the page has it."""

    pattern: str
    kind: str
    owner: str
    mode: str


@pytest.fixture(scope="module")
def tunnelled() -> Iterator[Field]:
    """A helper of its own that has done a bit of everything, with its tunnel's interface up."""
    with Field() as field, Namespace("far") as far:
        veth(field.namespace, "eth0", far, "eth0")
        field.namespace.ip("addr add 192.0.2.2/24 dev eth0\nroute add default via 192.0.2.9")
        field.pair(field.user("guest"))
        assert field.ask_root(ApplySettings(Settings(allow_lan=True))) == Done()
        profile = wg("10.0.0.0/8") + "\nEndpoint=192.0.2.1:51820\n"
        assert field.ask_root(ImportProfile("a", profile, "a.conf")) == Done()
        assert field.ask_root(Connect("a")) == Done()

        def shaking() -> bool:
            view = field.ask_root(GetSnapshot())
            assert isinstance(view, Snapshot)
            return isinstance(view.state, Connecting) and view.state.step is Step.HANDSHAKE

        until(shaking, 20.0, "the tunnel's interface is there")
        yield field


def rows() -> list[Row]:
    """The page's table of files."""
    page = PAGE.read_text(encoding="utf-8")
    table = page.split("<!-- compared with")[1].split("<!-- end of what is compared")[0]
    return [Row(*found) for found in _ROW.findall(table)]


def objects(field: Field) -> dict[str, Path]:
    """Everything there is, by the name that the page has for it."""
    inside = field.namespace.root()
    roots = {
        "RUN": field.folder / "run",
        "STATE": field.state,
        "/var/run/wireguard": inside / "run/wireguard",
        "HOME/slopn": field.helper.dir / "front-end/slopn",
    }
    found = {}
    for name, root in roots.items():
        found[name] = root
        for path in root.rglob("*"):
            if not path.name.startswith(".tmp-"):
                found[f"{name}/{path.relative_to(root)}"] = path
    return found


def fits(name: str, pattern: str) -> bool:
    """A `*` stands for a part of a path, not for more."""
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)


@pytest.mark.root
def test_each_object_is_as_the_page_says(tunnelled: Field) -> None:
    """Kind, owner and mode, by stat(2)."""
    table, found = rows(), objects(tunnelled)
    assert len(table) > 20
    for name, path in found.items():
        status = path.lstat()
        owners = {"root:root": (0, 0), "user": (0, 0)}
        fitting = [row for row in table if fits(name, row.pattern) and KINDS[row.kind](status.st_mode)]
        assert fitting, f"{name} has no row"
        row = fitting[0]
        assert f"{stat.S_IMODE(status.st_mode):04o}" == row.mode, name
        assert (status.st_uid, status.st_gid) == owners[row.owner], name
    unseen = [row for row in table if not any(fits(name, row.pattern) for name in found)]
    assert [row.pattern for row in unseen] == []


@pytest.mark.root
def test_others_reach_the_one_socket_alone(tunnelled: Field) -> None:
    """Another user's connect(2): the helper's socket lets in everybody while it must, the engine's never."""
    mallory = tunnelled.stranger()
    with mallory.line() as line:
        assert line.greeting() is not None
    with pytest.raises(OSError, match="13"):
        mallory.actor.connect("/var/run/wireguard/slopn0.sock")


@pytest.mark.root
def test_nothing_else_listens(tunnelled: Field) -> None:
    """No TCP port, and of sockets the helper's two, and the name by which there is one helper."""
    for table in ("tcp", "tcp6"):
        assert len((Path(f"/proc/{tunnelled.helper.pid}/net") / table).read_text().splitlines()) == 1
    own = {
        link.readlink().name.removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{tunnelled.helper.pid}/fd").iterdir()
        if link.is_symlink()
    }
    listening = {}
    # The helper's own view: unix(7), /proc/net/unix; flag 0x10000 says that it listens.
    for line in Path(f"/proc/{tunnelled.helper.pid}/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, inode, *path = line.split()
        if inode in own and int(flags, 16) & 0x10000:
            listening[inode] = path[0] if path else ""
    names = sorted(listening.values())
    assert [name for name in names if name.startswith("@")] == ["@slopn-helper"]
    assert len(names) <= 3


@pytest.mark.root
def test_device_and_tables_are_roots(tunnelled: Field) -> None:
    """Nobody but root may attach to the TUN device; the tables are owned where the kernel can do that."""
    said = tunnelled.namespace.run(["cat", "/sys/class/net/slopn0/owner", "/sys/class/net/slopn0/group"]).stdout
    assert said.split() == ["-1", "-1"]
    tables = tunnelled.namespace.run(["nft", "list", "tables"]).stdout.splitlines()
    assert "table inet slopn" in tables
    assert {line for line in tables if "slopn" in line} <= {"table inet slopn", "table netdev slopn"}
    page = PAGE.read_text(encoding="utf-8")
    assert "`inet slopn` and `netdev slopn`" in page


@pytest.mark.root
def test_no_dump(tunnelled: Field) -> None:
    """The helper's memory ends up in no core file: it isn't dumpable, so even its own /proc files are root's."""
    user = tunnelled.stranger()
    done = tunnelled.namespace.run(
        ["setpriv", f"--reuid={user.uid}", "--clear-groups", "cat", f"/proc/{tunnelled.helper.pid}/environ"],
        check=False,
    )
    assert done.returncode != 0
    arguments = Path(f"/proc/{tunnelled.helper.pid}/cmdline").read_text().split("\0")
    options = {each for each in arguments if each.startswith("--")}
    assert options <= documented_options()


@pytest.mark.root
def test_socket_without_local_user(tunnelled: Field) -> None:
    """With the setting off and nobody added, nobody outside the group may even connect."""
    assert tunnelled.ask_root(Disconnect()) == Done()
    assert tunnelled.ask_root(ApplySettings(Settings(local_user=False))) == Done()
    assert tunnelled.ask_root(RemoveUser("guest")) == Done()
    mallory = tunnelled.stranger()
    with pytest.raises(OSError, match="13"):
        mallory.actor.connect()
    mode = stat.S_IMODE((tunnelled.folder / "run/helper.sock").stat().st_mode)
    assert mode in {0o600, 0o660}
    assert tunnelled.ask_root(ApplySettings(Settings())) == Done()


def documented_options() -> set[str]:
    """Of the page's row about arguments."""
    row = next(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| the helper's arguments")
    )
    return set(re.findall(r"`(--[a-z-]+)`", row))


def test_each_argument_is_on_the_page() -> None:
    """All options of the helper's roles, and none of them takes a secret."""
    parsers = [action for action in _parser()._actions if isinstance(action.choices, dict)]
    choices = parsers[0].choices
    assert isinstance(choices, dict)
    options = {
        option
        for role in choices.values()
        for action in role._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    assert options == documented_options()


def test_each_variable_is_on_the_page() -> None:
    """Every name that the sources look up in the environment."""
    constant = re.compile(r'^[A-Z_]+ = "(SLOPN_[A-Z]+)"', re.MULTILINE)
    found: set[str] = set()
    for source in SOURCES:
        for path in source.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            looking = "\n".join(line for line in text.splitlines() if "environ" in line)
            found |= {*re.findall(r'"([A-Z][A-Z_]{2,})"', looking), *constant.findall(text)}
    table = PAGE.read_text(encoding="utf-8").split("| variable | of |")[1].split("## ")[0]
    assert found == set(re.findall(r"^\| `([A-Z_]+)`", table, re.MULTILINE))


def test_no_name_on_the_bus() -> None:
    """The helper is a client on the system bus: it asks for no name and exports nothing."""
    for path in (ROOT / "helper/src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"request_name|RequestName|\.export\([^)]*\bpath|ServiceInterface", text), path


def test_each_test_on_the_page_is_there() -> None:
    """Every path in its tables."""
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|helper)/[^`*]+?)(?:::\w+)?`", page))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
