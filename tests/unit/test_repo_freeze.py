from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import bundle_check, elf, freeze_engine, freeze_parts, sbom
from tools.bundle_check import Part
from tools.bundles import APP, BUNDLES, GATEWAY, HELPER, SOURCES, below
from tools.distributions import needed, strangers
from tools.windows.bundles import BUNDLES as WINDOWS

ROOT = Path(__file__).resolve().parents[2]
HOOK = ROOT / "installers/freeze/environment.py"
KEY = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"


def test_a_bundle_says_only_what_there_is() -> None:
    """Programs start functions that exist in a module that goes in, and nothing that goes in is forbidden."""
    for each in BUNDLES.values():
        modules = set(each.modules())
        assert {target.split(":")[0] for target in each.programs.values()} <= modules
        assert not {name for name in modules if below(name, each.forbidden)}
        assert all((ROOT / source).exists() for source, _ in each.data if not source.startswith("app/ui"))


def test_the_helper_carries_no_gateway_and_the_gateway_does() -> None:
    """By modules of ours, and by distributions of others."""
    assert not any("gateway" in name.split(".")[1:2] for name in HELPER.modules())
    assert "slopn_helper.gateway.server" in set(GATEWAY.modules())
    assert not {"litestar", "sqlalchemy", "pillow"} & {each.name.lower() for each in freeze_parts.brought(HELPER)}
    assert {"litestar", "sqlalchemy"} <= {each.name.lower() for each in freeze_parts.brought(GATEWAY)}


def test_what_another_system_needs_stays_behind() -> None:
    """Nothing of Windows and macOS is among the front ends' modules; what Linux needs is."""
    names = set(APP.modules())
    assert {"slopn_app.window.gtk", "slopn_app.cli.verbs.import_"} <= names
    assert not {"slopn_app.host.win32", "slopn_app.window.webview_macos", "slopn_app.host.single_windows"} & names


def test_what_a_distribution_needs_follows_its_extras() -> None:
    """The helper needs no web server, its gateway does, and both need what the helper needs."""
    plain = {each.name for each in needed(["slopn-helper"])}
    gateway = {each.name for each in needed(["slopn-helper[gateway]"])}
    assert "msgspec" in plain
    assert plain < gateway
    assert "uvicorn" in gateway - plain


def test_a_developers_tools_are_strangers() -> None:
    """And nothing is that the bundle needs."""
    found = set(strangers(HELPER.wanted))
    assert {"pytest", "hypothesis", "PyInstaller", "yaml"} <= found
    assert not {"msgspec", "dns", "cryptography", *SOURCES} & found - {"slopn_app"}


def test_each_program_has_an_entry_of_its_own(tmp_path: Path) -> None:
    """Three programs of one bundle."""
    entries = freeze_parts.entries(APP, tmp_path)
    assert "slopn_app.tray.main import main" in entries["slopn-tray"].read_text(encoding="utf-8")
    assert len({path.name for path in entries.values()}) == 3


def test_metadata_is_name_and_version_alone(tmp_path: Path) -> None:
    """RECORD and direct_url.json say where the build machine has its things."""
    files = [Path(source) for source, target in freeze_parts.data(HELPER, tmp_path) if target.endswith(".dist-info")]
    assert {path.name for path in files} == {"METADATA"}
    assert any(path.read_text("utf-8").splitlines()[1] == "Name: slopn-helper" for path in files)


@pytest.mark.parametrize(
    ("library", "ours"),
    [
        ("libpython3.11.so.1.0", True),
        ("cryptography/hazmat/bindings/_rust.abi3.so", True),
        ("libglib-2.0.so.0", False),
        ("libssl.so.3", False),
        ("libz.so.1", False),
        ("libzstd.so.1", True),
    ],
)
def test_the_distributions_libraries_stay_its_own(library: str, ours: bool) -> None:
    """Beginnings of names alone would take libzstd for libz."""
    assert freeze_parts.is_ours(library) == ours


def test_a_secret_and_a_path_of_this_machine_are_found() -> None:
    """The mere word in a library's parser is none."""
    assert bundle_check.wrong(Part("a", KEY), []) == ["holds what looks like a secret key"]
    assert bundle_check.wrong(Part("a", b"-----BEGIN PRIVATE KEY-----"), []) == []
    here = f"x\0{ROOT}/app/src/slopn_app/cli/main.py".encode()
    assert bundle_check.wrong(Part("a", here), bundle_check.build_paths()) == [f"names {ROOT}/ of the build machine"]


def test_modules_are_found_wherever_they_are() -> None:
    """In a program's archive, in a ZIP file, as compiled C and as loose files."""
    names = ("slopn!slopn_app.client", "lib/base_library.zip!json/__init__.pyc", "lib/pystray/_base.pyc", "lib/a/b.abi3.so",
             "lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", "lib/libz.so.1")  # fmt: skip
    found = bundle_check.modules(Part(name, b"") for name in names)
    assert found == {"slopn_app.client", "json", "pystray._base", "a.b", "_ssl"}


def test_a_bundle_is_looked_through(tmp_path: Path) -> None:
    """What is missing, forbidden, a test, open to all, a secret inside a ZIP file, and what leads out."""
    library = tmp_path / "lib"
    library.mkdir()
    with zipfile.ZipFile(library / "base_library.zip", "w") as archive:
        archive.writestr("sqlite3/__init__.pyc", KEY)
        archive.writestr("dns/tests/test_name.pyc", b"")
    (library / "open.txt").write_bytes(b"")
    (library / "open.txt").chmod(0o666)
    (library / "out").symlink_to("/etc/hostname")
    (library / "cairo-1.0.typelib").write_bytes(b"")
    found = "\n".join(bundle_check.findings(HELPER, tmp_path))
    for phrase in ("slopn-helper is missing", "module sqlite3 is in it", "test dns.tests.test_name", "open.txt can be written",
                   "cairo-1.0.typelib is the distribution's", "sqlite3/__init__.pyc holds what looks like a secret key", "out leads out of the bundle"):  # fmt: skip
        assert phrase in found


@pytest.mark.parametrize(
    ("script", "phrase"),
    [
        ("echo usage", ""),
        ("echo usage; echo careful >&2", "ends with 0 and says: careful"),
        ("echo 'No module named x' >&2; exit 1", "ends with 1 and says: No module named x"),
        ("exit 0", "ends with 0 and says: nothing"),
        ("echo usage; touch $HOME/left", "left is what a program left at home"),
    ],
)
def test_a_program_that_does_not_start_is_found(script: str, phrase: str, tmp_path: Path) -> None:
    """By its status, by what it complains of, by silence, and by what it leaves."""
    program = tmp_path / "slopn-helper"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    found = bundle_check.silent(HELPER, tmp_path)
    assert [phrase in line for line in found] == [True] * bool(phrase), found


def test_what_must_not_be_shipped_ends_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    """With each finding; what has none goes on."""
    bundle_check.refuse("bundle", [])
    with pytest.raises(SystemExit):
        bundle_check.refuse("bundle", ["one", "two"])
    said = "".join(capsys.readouterr())
    assert all(word in said for word in ("bundle", "one", "two"))


def test_a_bundle_has_its_own_system_s_modules() -> None:
    """And no other's: what stands on a library of one system isn't there on the next."""
    linux, windows = set(HELPER.modules()), set(WINDOWS["slopn-helper"].modules())
    assert "slopn_helper.host.firewall.wfp.windows" in windows - linux
    assert "slopn_helper.host.netmon.linux" in linux - windows


def test_a_program_that_is_not_there_is_found(tmp_path: Path) -> None:
    """Instead of a traceback."""
    assert len(bundle_check.silent(HELPER, tmp_path)) == 1


@pytest.fixture
def linked(tmp_path: Path) -> dict[str, bytes]:
    """A library linked with care, and one linked with none."""
    source = tmp_path / "a.c"
    source.write_text("#include <stdlib.h>\nvoid *taken(void) { return malloc(1); }\n", encoding="utf-8")
    made = {}
    for name, words in {
        "hard": ("-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,-rpath,$ORIGIN/x.libs"),
        "soft": ("-Wl,-z,norelro,-z,lazy,-z,execstack", "-Wl,-rpath,/home/me/lib"),
    }.items():
        subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / name, source, *words], check=True)
        made[name] = (tmp_path / name).read_bytes()
    return made


def test_a_soft_library_is_told_from_a_hard_one(linked: dict[str, bytes]) -> None:
    """As readelf(1) sees them."""
    assert elf.soft(linked["hard"], full=True) == []
    assert elf.soft(linked["soft"], full=True) == [
        "has an executable stack",
        "looks for libraries in /home/me/lib",
        "has no RELRO",
        "binds lazily, so that RELRO isn't full",
    ]
    assert elf.soft(linked["soft"], full=False) == ["has an executable stack", "looks for libraries in /home/me/lib"]
    assert elf.needed(linked["hard"]) == ["libc.so.6"]


def test_the_engines_panics_name_nobodys_folders() -> None:
    """Both where crates are unpacked and where the checkout is."""
    words = freeze_engine.flags(Path("/home/me/.cargo"), Path("/home/me/slopn")).split()
    assert "--remap-path-prefix=/home/me/.cargo=/cargo" in words
    assert "--remap-path-prefix=/home/me/slopn=/slopn" in words


@pytest.mark.parametrize(("before", "after"), [(None, None), ("/opt/theirs", "/opt/theirs"), ("", None)])
def test_children_get_the_environment_that_was_there_before(before: str | None, after: str | None) -> None:
    """PyInstaller's loader puts its own folder in front, and keeps what was there."""
    environment = {"LD_LIBRARY_PATH": "/usr/lib/slopn/slopn/lib", "_PYI_ARCHIVE_FILE": "x", "HOME": "/home/me"}
    if before is not None:
        environment["LD_LIBRARY_PATH_ORIG"] = before
    code = (
        "import json, subprocess, sys\n"
        f"exec(open({str(HOOK)!r}).read())\n"
        "child = subprocess.run(['env'], capture_output=True, text=True).stdout\n"
        "print(json.dumps([dict(line.partition('=')[::2] for line in child.splitlines()), sys.argv[0] == sys.executable]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    child, named = json.loads(run.stdout)
    assert child.get("LD_LIBRARY_PATH") == after
    assert named
    assert not {"LD_LIBRARY_PATH_ORIG", "_PYI_ARCHIVE_FILE"} & set(child)


def test_the_list_of_components_is_the_same_twice() -> None:
    """Whatever the clock says; another time is another list."""
    found = sbom.components(APP)
    assert {"msgspec", "pystray", "PyGObject", "svelte"} <= {each.name for each in found}
    assert all(each.texts for each in found), [each.name for each in found if not each.texts]
    first = sbom.document("slopn", "1", found, 1)
    assert first == sbom.document("slopn", "1", found, 1)
    assert first["serialNumber"] != sbom.document("slopn", "1", found, 2)["serialNumber"]
    assert first["metadata"]["timestamp"] == "1970-01-01T00:00:01Z"


def test_what_only_builds_the_page_is_not_in_it() -> None:
    """npm marks it; scoped names keep their scope."""
    lock = {"packages": {"": {}, "node_modules/@a/b": {"version": "1", "license": "MIT"},
                         "node_modules/vite": {"version": "2", "dev": True}}}  # fmt: skip
    [only] = sbom.page_packages(lock, Path("/nowhere"))
    assert (only.purl, only.licence) == ("pkg:npm/%40a/b@1", "MIT")
