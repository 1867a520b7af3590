from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slopn_helper.ipc.executables import FRONT_ENDS, is_ours
from support.until import until

ME = os.geteuid()


@pytest.fixture
def prefix() -> Iterator[Path]:
    """Front ends as installed, in a place whose parents are root's: /tmp is everybody's."""
    with tempfile.TemporaryDirectory(prefix="slopn-test-", dir="/opt") as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "bin").mkdir(mode=0o755)
        for name in (*FRONT_ENDS, "python3.11"):
            shutil.copy(shutil.which("sleep") or "", place / "bin" / name)
        yield place


@contextmanager
def running(program: str | Path) -> Iterator[int]:
    """The number of a process that runs `program`."""
    with subprocess.Popen([program, "600"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.root
@pytest.mark.parametrize("name", sorted(FRONT_ENDS))
def test_an_installed_front_end_is_ours(prefix: Path, name: str) -> None:
    """Root's file in root's folders, under the prefix."""
    with running(f"{prefix}/bin/{name}") as pid:
        assert is_ours(f"{prefix}/bin/{name}", prefix, pid)


@pytest.mark.root
@pytest.mark.parametrize("name", ["python3.11", "slopn (deleted)", "slopn.py", "missing", ".", ""])
def test_another_name_is_not(prefix: Path, name: str) -> None:
    """Above all no interpreter, whatever runs in it, and no file that was replaced since."""
    with running(prefix / "bin/python3.11") as pid:
        assert not is_ours(f"{prefix}/bin/{name}", prefix, pid)


@pytest.mark.root
def test_a_path_that_another_program_claims_is_not(prefix: Path) -> None:
    """The file at that path must be what runs, in a process that is there."""
    with running(prefix / "bin/slopn-tray") as pid:
        assert not is_ours(f"{prefix}/bin/slopn", prefix, pid)
    assert not is_ours(f"{prefix}/bin/slopn-tray", prefix, pid)
    assert not is_ours(f"{prefix}/bin/slopn-tray", prefix, 0)


@pytest.mark.root
def test_a_path_forged_in_a_mount_namespace_is_not(prefix: Path) -> None:
    """Anybody may put a file of their own at our path, seen by nobody else; the system then says our path."""
    mount = (
        f"mount -t tmpfs none {prefix}/bin && cp $(command -v sleep) {prefix}/bin/slopn && exec {prefix}/bin/slopn 600"
    )
    with subprocess.Popen(["unshare", "-Urm", "sh", "-c", mount]) as process:
        try:
            said = until(lambda: named(process.pid, f"{prefix}/bin/slopn"), 20, "the forged front end runs")
            assert not is_ours(said, prefix, process.pid)
        finally:
            process.kill()


def named(pid: int, wanted: str) -> str | None:
    """The path that the system says, once it is this one."""
    said = str(Path(f"/proc/{pid}/exe").readlink())
    return said if said == wanted else None


def writable_file(prefix: Path) -> None:
    """The group may write to the file."""
    (prefix / "bin/slopn").chmod(0o775)


def writable_by_all(prefix: Path) -> None:
    """Everybody may write to the file."""
    (prefix / "bin/slopn").chmod(0o757)


def writable_folder(prefix: Path) -> None:
    """The group may write to its folder."""
    (prefix / "bin").chmod(0o775)


def writable_prefix(prefix: Path) -> None:
    """Everybody may write to the prefix, as to /tmp."""
    prefix.chmod(0o1777)


def foreign_file(prefix: Path) -> None:
    """The file is somebody else's."""
    os.chown(prefix / "bin/slopn", 12345, 0)


def foreign_folder(prefix: Path) -> None:
    """The prefix is somebody else's."""
    os.chown(prefix, 12345, 0)


def linked_file(prefix: Path) -> None:
    """A link leads to the file."""
    (prefix / "bin/slopn").rename(prefix / "bin/real")
    (prefix / "bin/slopn").symlink_to("real")


def linked_folder(prefix: Path) -> None:
    """A link leads to its folder."""
    (prefix / "bin").rename(prefix / "real")
    (prefix / "bin").symlink_to("real")


def no_file(prefix: Path) -> None:
    """It is a folder of that name."""
    (prefix / "bin/slopn").unlink()
    (prefix / "bin/slopn").mkdir()


@pytest.mark.root
@pytest.mark.parametrize(
    "spoil",
    [
        writable_file,
        writable_by_all,
        writable_folder,
        writable_prefix,
        foreign_file,
        foreign_folder,
        linked_file,
        linked_folder,
        no_file,
    ],
)
def test_what_somebody_else_could_have_changed_is_not(prefix: Path, spoil: Callable[[Path], None]) -> None:
    """It is ours before and isn't after: one wrong owner, mode or link on the way is enough."""
    with running(prefix / "bin/slopn") as pid:
        assert is_ours(f"{prefix}/bin/slopn", prefix, pid)
        spoil(prefix)
        assert not is_ours(f"{prefix}/bin/slopn", prefix, pid)


@pytest.mark.root
def test_a_path_that_only_begins_alike_is_not(prefix: Path) -> None:
    """Neither a neighbour of the prefix, nor a way out of it."""
    neighbour = prefix.with_name(f"{prefix.name}-evil")
    (neighbour / "bin").mkdir(parents=True)
    try:
        shutil.copy(prefix / "bin/slopn", neighbour / "bin")
        with running(neighbour / "bin/slopn") as pid:
            assert is_ours(f"{neighbour}/bin/slopn", neighbour, pid)
            assert not is_ours(f"{neighbour}/bin/slopn", prefix, pid)
            assert not is_ours(f"{prefix}/../{neighbour.name}/bin/slopn", prefix, pid)
        with running(prefix / "bin/slopn") as pid:
            assert not is_ours(f"{prefix}/bin/../bin/slopn", prefix, pid)
    finally:
        (neighbour / "bin/slopn").unlink()
        (neighbour / "bin").rmdir()
        neighbour.rmdir()


@pytest.mark.root
@pytest.mark.parametrize("executable", [None, "", "slopn", "bin/slopn", "/opt/a\0b/slopn"])
def test_what_has_no_whole_path_is_not(prefix: Path, executable: str | None) -> None:
    """The system didn't say, or not for sure."""
    with running(prefix / "bin/slopn") as pid:
        assert not is_ours(executable, prefix, pid)


@pytest.mark.root
def test_without_a_prefix_nothing_is_ours(prefix: Path) -> None:
    """A helper that runs from a source checkout has no front ends installed."""
    with running(prefix / "bin/slopn") as pid:
        assert not is_ours(f"{prefix}/bin/slopn", None, pid)


def test_a_folder_that_everybody_may_write_to_spoils_all_below(tmp_path: Path) -> None:
    """A front end of one's own under /tmp is nobody's but one's own, though file and folder are well kept."""
    kept = tmp_path / "open/kept"
    kept.mkdir(parents=True, mode=0o755)
    shutil.copy(shutil.which("sleep") or "", kept / "slopn")
    (tmp_path / "open").chmod(0o1777)
    with running(kept / "slopn") as pid:
        assert not is_ours(str(kept / "slopn"), kept, pid, ME)
