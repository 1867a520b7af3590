"""The engine for Windows: cross-built with mingw-w64, and wintun.dll beside it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from tools import apt
from tools.console import CACHE, ROOT, give_up, output, run, timed
from tools.rust import cargo_home, nameless
from tools.rust import ensure as ensure_rust
from tools.stamps import digest, is_done, mark_done
from tools.windows import wine

CRATE = ROOT / "helper/engine"
INPUTS = ("Cargo.toml", "Cargo.lock", "src", "vendor", "python")
TRIPLE = "x86_64-pc-windows-gnu"
TARGET = CACHE / "windows/engine"
# This crate carries the library that Wintun's makers have signed; nothing else of it is used.
WINTUN = ("wintun-bindings", "0.7.40")
WINTUN_SHA256 = "e5da8447dc2c320edc0fc52fa01885c103de8c118481f683643cacc3220dafce"


def ensure() -> None:
    """Put `slopn_engine` into the Windows Python's packages, where anything of it has changed."""
    version = ensure_rust()
    key = digest([*(CRATE / name for name in INPUTS), ROOT / "tools/windows/engine.py"], version)
    package = wine.PYTHON / "Lib/site-packages/slopn_engine"
    if is_done("windows-engine", key) and (package / "_engine.pyd").is_file():
        return
    with timed(f"engine (Rust, release) for {TRIPLE}"):
        library = cargo(["build", "--release", "--lib", "--features", "python"]) / "slopn_engine.dll"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    shutil.copyfile(CRATE / "python/slopn_engine/__init__.py", package / "__init__.py")
    shutil.copyfile(library, package / "_engine.pyd")
    shutil.copyfile(wintun(), package / "wintun.dll")
    mark_done("windows-engine", key)


def cargo(words: list[str]) -> Path:
    """Run cargo for Windows in the engine's crate; where what it builds in release is."""
    program, flags, environment = toolchain()
    environment |= {
        "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER": "x86_64-w64-mingw32-gcc",
        "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS": " ".join(nameless(cargo_home(), ROOT)),
    }
    run(
        [program, words[0], "--quiet", "--locked", *flags, "--target", TRIPLE, "--target-dir", TARGET, *words[1:]],
        cwd=CRATE,
        env=environment,
    )
    return TARGET / TRIPLE / "release"


def toolchain() -> tuple[str, list[str], dict[str, str]]:
    """cargo, its flags and environment: with the target's std if Rust has it, else std is built, from Rust's own source.

    Debian's Rust has the source in a package; a Rust by rustup has it as the component rust-src.
    """
    from_source = ["-Zbuild-std=std,panic_unwind"]
    root = Path(output(["rustc", "--print", "sysroot"]) or "/nowhere")
    if (root / f"lib/rustlib/{TRIPLE}/lib").is_dir():
        return "cargo", [], {}
    if (root / "lib/rustlib/src/rust/library/std").is_dir():
        return "cargo", from_source, {"RUSTC_BOOTSTRAP": "1"}
    apt.install(apt.missing([*apt.packages("rust"), *apt.packages("rust-windows")]))
    return "/usr/bin/cargo", from_source, {"RUSTC_BOOTSTRAP": "1", "RUSTC": "/usr/bin/rustc"}


def wintun() -> Path:
    """wintun.dll, as its makers have signed it; fetched by cargo, checked by hash."""
    kept = CACHE / "windows/wintun.dll"
    if not kept.is_file() or _sha256(kept) != WINTUN_SHA256:
        name, version = WINTUN
        with timed(f"wintun.dll, from the crate {name}"), TemporaryDirectory(dir=CACHE) as folder:
            (Path(folder) / "src").mkdir()
            (Path(folder) / "src/lib.rs").touch()
            manifest = f'[package]\nname = "fetch"\nversion = "0.0.0"\n[dependencies]\n{name} = "={version}"\n'
            (Path(folder) / "Cargo.toml").write_text(manifest)
            run(["cargo", "fetch", "--quiet"], cwd=Path(folder))
            found = sorted(cargo_home().glob(f"registry/src/*/{name}-{version}/wintun/bin/amd64/wintun.dll"))
            if not found:
                give_up(f"The crate {name} {version} has no wintun.dll where it was.")
            shutil.copyfile(found[0], kept)
    if _sha256(kept) != WINTUN_SHA256:
        kept.unlink()
        give_up("wintun.dll isn't the one that tools/windows/engine.py names.")
    return kept


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
