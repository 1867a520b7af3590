from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.helper_process import HelperProcess
from support.netns import Namespace

DATA = Path(__file__).resolve().parents[1] / "data/conf"
BROKEN: dict[str, dict[str, Any]] = tomllib.loads((DATA / "broken/expected.toml").read_text(encoding="utf-8"))
GOOD = DATA / "valid/preshared_key.conf"
_KEY = re.compile(r"(?:PrivateKey|PresharedKey) *= *([A-Za-z0-9+/]{43}=)")


@pytest.fixture(scope="module")
def helper() -> Iterator[HelperProcess]:
    """A helper that has one profile, and logs all it can."""
    with Namespace("import", private=True) as namespace, HelperProcess(namespace, log_level="debug") as helper:
        done = helper.cli("import", str(GOOD), "--name", "good")
        assert done.returncode == 0, done.stderr
        yield helper


def profiles(helper: HelperProcess) -> Any:
    """The list of profiles."""
    done = helper.cli("profiles", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def path_of(name: str) -> str:
    """The broken file of this name."""
    return str(DATA / f"broken/{name}.conf")


def place(name: str) -> str:
    """How an error about this file must begin."""
    return f"{path_of(name)}:{BROKEN[name]['line']}:{BROKEN[name]['column']}: "


def test_each_broken_file_is_refused_and_nothing_is_stored(helper: HelperProcess) -> None:
    """Each file for itself: status 2, its place and what is allowed on stderr, nothing on stdout, the same profiles after."""
    before = profiles(helper)
    assert [profile["name"] for profile in before] == ["good"]
    assert len(BROKEN) >= 40
    wrong = []
    for name, expected in BROKEN.items():
        done = helper.cli("import", path_of(name))
        line = place(name) + expected.get("message", "")
        if done.returncode != 2 or not done.stderr.startswith(line) or done.stdout or "Traceback" in done.stderr:
            wrong.append((name, done.returncode, done.stdout, done.stderr, line))
    assert wrong == []
    assert profiles(helper) == before


def test_a_broken_file_does_not_replace_a_profile(helper: HelperProcess) -> None:
    """With --replace and the name of a profile that is there, a broken file changes nothing either."""
    before = profiles(helper)
    done = helper.cli("import", path_of("mtu_too_small"), "--name", "good", "--replace")
    assert done.returncode == 2
    assert profiles(helper) == before


def test_all_broken_files_at_once_give_an_error_each(helper: HelperProcess) -> None:
    """As JSON: one error a file, in the order given; a good file between them is stored all the same."""
    names = list(BROKEN)
    files = [path_of(name) for name in names]
    files.insert(7, str(DATA / "valid/typical.conf"))
    done = helper.cli("import", "--json", *files)
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert [entry["name"] for entry in answer["imported"]] == ["typical"]
    assert [entry["message"].startswith(place(name)) for name, entry in zip(names, answer["errors"], strict=True)] == [
        True
    ] * len(names)
    assert [profile["name"] for profile in profiles(helper)] == ["good", "typical"]
    assert helper.cli("profiles", "--remove", "typical").returncode == 0


@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_a_file_beyond_all_measure_is_refused(helper: HelperProcess, tmp_path: Path, size: int) -> None:
    """A huge file gives status 2 and a sentence, and the helper goes on."""
    path = tmp_path / "huge.conf"
    path.write_bytes(GOOD.read_bytes() + b"#" * size)
    before = profiles(helper)
    done = helper.cli("import", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert profiles(helper) == before


def test_a_profile_goes_out_as_it_came_in(helper: HelperProcess, tmp_path: Path) -> None:
    """An export holds the keys, and its import under another name gives an equal profile."""
    exported = tmp_path / "again.conf"
    assert helper.cli("export", "good", "--output", str(exported)).returncode == 0
    assert sorted(_KEY.findall(exported.read_text())) == sorted(_KEY.findall(GOOD.read_text()))
    assert helper.cli("import", str(exported)).returncode == 0
    good, again = (next(each for each in profiles(helper) if each["name"] == name) for name in ("good", "again"))
    assert {**again, "name": "good"} == good
    assert helper.cli("profiles", "--remove", "again").returncode == 0


def test_keys_stay_in_roots_files(helper: HelperProcess) -> None:
    """No key of a file that was imported or refused is in the log or in what a client sees; files of keys are root's."""
    keys = {key for path in DATA.rglob("*.conf") for key in _KEY.findall(path.read_bytes().decode("latin-1"))}
    seen = helper.log() + json.dumps(helper.status()) + json.dumps(profiles(helper)) + helper.cli("logs").stdout
    assert keys
    assert [key for key in keys if any(key[start : start + 16] in seen for start in range(28))] == []
    holders = [
        path
        for path in helper.state_dir.rglob("*")
        if path.is_file() and any(k.encode() in path.read_bytes() for k in keys)
    ]
    assert holders
    for path in holders:
        status = path.stat()
        assert (status.st_uid, status.st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0, 0o600, 0o700)
        assert path.parent.name == "secrets"
