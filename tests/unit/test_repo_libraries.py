"""tools/libraries.py: what a package depends on by what is linked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import libraries


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A program linked with zlib and a library of its own, which wants expat; and what only a desktop loads."""
    inside = tmp_path / "bundle/lib"
    (inside / "gi").mkdir(parents=True)
    for place, name in (("libown.so.1", "XML_ExpatVersion"), ("gi/_gi.so", "ffi_call"), ("../program", "zlibVersion")):
        source = tmp_path / "a.c"
        # The linker wants a name for each library, and Debian installs those with the headers alone.
        source.write_text(f"void {name}(void); void taken_{name}(void) {{ {name}(); }}\n", encoding="utf-8")
        soname = {"XML_ExpatVersion": "libexpat.so.1", "ffi_call": "libffi.so.8", "zlibVersion": "libz.so.1"}[name]
        own = [inside / "libown.so.1"] if place == "../program" else []
        subprocess.run(
            ["cc", "-shared", "-fPIC", f"-Wl,-soname,{Path(place).name}", "-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN/lib",
             "-o", inside / place, source, *own, f"-l:{soname}"],
            check=True,
        )  # fmt: skip
    return tmp_path / "bundle"


def test_a_deb_names_packages_and_not_what_is_inside(bundle: Path) -> None:
    """The desktop's apart from what every program needs."""
    found = libraries.deb(bundle)
    assert [name.split()[0] for name in found.always] == ["libc6", "libexpat1", "zlib1g"]
    assert [name.split()[0] for name in found.desktop] == ["libffi8"]


def test_an_rpm_names_libraries(bundle: Path) -> None:
    """With the word that says how wide their addresses are."""
    found = libraries.rpm(bundle)
    assert {"libexpat.so.1()(64bit)", "libz.so.1()(64bit)"} <= set(found.always)
    assert next(name for name in found.desktop if name.startswith("libffi")) == "libffi.so.8()(64bit)"
    assert not [name for name in found.always if "libown" in name or "libffi" in name]


def test_a_library_that_no_package_has_ends_it(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be missing on every other computer."""
    (bundle / "lib/libown.so.1").unlink()
    with pytest.raises(SystemExit):
        libraries.deb(bundle)
    assert "libown.so.1" in capsys.readouterr().err
