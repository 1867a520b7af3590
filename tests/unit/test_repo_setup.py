from __future__ import annotations

from pathlib import Path

import pytest

from tools import apt, rust, stamps


def test_the_apt_list_has_its_groups() -> None:
    """Each package is in one group, and the groups that setup asks for are there."""
    groups = {name: apt.packages(name) for name in ("base", "unpack", "rust", "fuzz", "windows", "rust-windows")}
    assert "nftables" in groups["base"]
    assert "cargo-web" in groups["rust"]
    assert "mmdebstrap" in groups["base"]
    names = [name for packages in groups.values() for name in packages]
    assert len(names) == len(set(names))
    lines = [line for line in apt.LIST.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) == len(names)


def test_an_installed_package_is_not_missing() -> None:
    """dpkg knows the package that holds dpkg, and not one that no archive has."""
    assert apt.missing(["dpkg", "no-such-package-anywhere"]) == ["no-such-package-anywhere"]


@pytest.mark.parametrize(
    ("version", "is_enough"),
    [
        ("rustc 1.95.0 (59807616e 2026-04-14)", True),
        ("rustc 1.96.0 (ac68faa20 2026-05-25)", True),
        ("1.96.0+dfsg1-1~deb12u2", True),
        ("rustc 2.0.0", True),
        ("rustc 1.94.1", False),
        ("1.63.0+dfsg1-2", False),
        ("", False),
    ],
)
def test_rust_is_new_enough_from_1_95(monkeypatch: pytest.MonkeyPatch, version: str, is_enough: bool) -> None:
    """rustc's own line and Debian's version number are both read as numbers, not as text."""
    monkeypatch.setattr(rust, "output", lambda _argv: version)
    monkeypatch.setattr(apt, "candidate", lambda _name: None)
    monkeypatch.setattr(apt, "update", lambda: None)
    if is_enough:
        assert rust.ensure() == version
    else:
        with pytest.raises(SystemExit, match="1"):
            rust.ensure()


def test_without_rust_setup_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where neither PATH nor the system's packages have a Rust that is new enough, a sentence names the command."""
    monkeypatch.setattr(rust, "output", lambda _argv: None)
    monkeypatch.setattr(apt, "candidate", lambda _name: None)
    monkeypatch.setattr(apt, "update", lambda: None)
    with pytest.raises(SystemExit):
        rust.ensure()
    assert "rustup toolchain install stable" in capsys.readouterr().err


def test_a_stamp_follows_its_inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A step is done for one key; another content, another word or a new file make another key, a build output doesn't."""
    monkeypatch.setattr(stamps, "ROOT", tmp_path)
    monkeypatch.setattr(stamps, "STAMPS", tmp_path / "stamps")
    source = tmp_path / "src"
    source.mkdir()
    (source / "lib.rs").write_text("one")
    first = stamps.digest([source], "1.95")
    stamps.mark_done("engine", first)
    assert stamps.is_done("engine", stamps.digest([source], "1.95"))
    (source / "built.so").write_text("output")
    assert stamps.digest([source], "1.95") == first
    assert stamps.digest([source], "1.96") != first
    (source / "new.rs").write_text("")
    assert not stamps.is_done("engine", stamps.digest([source], "1.95"))
