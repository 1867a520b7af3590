from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slopn_helper.ipc.executables import FRONT_ENDS, is_ours

ME = os.geteuid()


@pytest.fixture
def prefix() -> Iterator[Path]:
    """Front ends as installed, in a place whose parents are root's: /tmp is everybody's."""
    with tempfile.TemporaryDirectory(prefix="slopn-test-", dir="/opt") as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "bin").mkdir(mode=0o755)
        for name in (*FRONT_ENDS, "python3.11"):
            (place / "bin" / name).touch(mode=0o755)
        yield place


@pytest.mark.root
@pytest.mark.parametrize("name", sorted(FRONT_ENDS))
def test_an_installed_front_end_is_ours(prefix: Path, name: str) -> None:
    """Root's file in root's folders, under the prefix."""
    assert is_ours(f"{prefix}/bin/{name}", prefix)


@pytest.mark.root
@pytest.mark.parametrize("name", ["python3.11", "slopn (deleted)", "slopn.py", "missing", ".", ""])
def test_another_name_is_not(prefix: Path, name: str) -> None:
    """Above all no interpreter, whatever runs in it, and no file that was replaced since."""
    assert not is_ours(f"{prefix}/bin/{name}", prefix)


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
    assert is_ours(f"{prefix}/bin/slopn", prefix)
    spoil(prefix)
    assert not is_ours(f"{prefix}/bin/slopn", prefix)


@pytest.mark.root
def test_a_path_that_only_begins_alike_is_not(prefix: Path) -> None:
    """Neither a neighbour of the prefix, nor a way out of it."""
    neighbour = prefix.with_name(f"{prefix.name}-evil")
    (neighbour / "bin").mkdir(parents=True)
    try:
        (neighbour / "bin/slopn").touch(mode=0o755)
        assert not is_ours(f"{neighbour}/bin/slopn", prefix)
        assert not is_ours(f"{prefix}/../{neighbour.name}/bin/slopn", prefix)
        assert not is_ours(f"{prefix}/bin/../bin/slopn", prefix)
    finally:
        (neighbour / "bin/slopn").unlink()
        (neighbour / "bin").rmdir()
        neighbour.rmdir()


@pytest.mark.root
@pytest.mark.parametrize("executable", [None, "", "slopn", "bin/slopn", "/opt/a\0b/slopn"])
def test_what_has_no_whole_path_is_not(prefix: Path, executable: str | None) -> None:
    """The system didn't say, or not for sure."""
    assert not is_ours(executable, prefix)


@pytest.mark.root
def test_without_a_prefix_nothing_is_ours(prefix: Path) -> None:
    """A helper that runs from a source checkout has no front ends installed."""
    assert not is_ours(f"{prefix}/bin/slopn", None)


def test_a_folder_that_everybody_may_write_to_spoils_all_below(tmp_path: Path) -> None:
    """A front end of one's own under /tmp is nobody's but one's own, though file and folder are well kept."""
    (tmp_path / "open/kept").mkdir(parents=True, mode=0o755)
    (tmp_path / "open").chmod(0o1777)
    (tmp_path / "open/kept/slopn").touch(mode=0o755)
    assert not is_ours(str(tmp_path / "open/kept/slopn"), tmp_path / "open/kept", ME)
