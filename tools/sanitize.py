"""The engine's own tests under a sanitizer of LLVM's: AddressSanitizer, which also finds leaks, or ThreadSanitizer.

Arguments: `address` or `thread`, both without; then perhaps words for the tests' own command line. The compiler is the one that builds the
engine, with its unstable switches opened (`RUSTC_BOOTSTRAP`): rustup's have the sanitizers' libraries. Where they are missing, as
with Debian's Rust, the tests run under valgrind instead. ThreadSanitizer needs the standard library compiled with it, so Rust's sources;
where they didn't come with the compiler, a run of both says so and ends with AddressSanitizer, and `thread` by name fails.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from tools.console import ROOT, Word, give_up, output, run, say, timed

CRATE = ROOT / "helper/engine"
KINDS = ("address", "thread")
NO_SOURCES = "It compiles the standard library, and Rust's sources didn't come with this compiler"
FEW_CASES = {"PROPTEST_CASES": "32"}
"""Sanitized code takes several times as long; what it finds doesn't take many cases."""


def main() -> None:
    """Run the tests under each sanitizer; the first that complains ends the program with exit status 1."""
    words = sys.argv[1:]
    kinds = [word for word in words if word in KINDS]
    rest = [word for word in words if word not in KINDS]
    if not has_runtime("address"):
        say("sanitize: this Rust has no sanitizers, so valgrind takes their place")
        under_valgrind(rest)
        return
    if "thread" in kinds and not has_sources():
        give_up(f"{NO_SOURCES}: `rustup component add rust-src`, then run again.")
    for kind in kinds or able():
        with timed(f"engine's tests under {kind} sanitizer"):
            sanitized(kind, rest)


def able() -> tuple[str, ...]:
    """The sanitizers that this compiler can run; says which one is left out, and why."""
    if has_sources():
        return KINDS
    say(f"sanitize: without ThreadSanitizer. {NO_SOURCES}.")
    return ("address",)


def sanitized(kind: str, words: list[str]) -> None:
    """One sanitizer, with a target folder of its own."""
    flags = f"-Zsanitizer={kind}"
    command: list[Word] = ["cargo", "test", "--quiet", "--locked", "--lib", "--bins", "--target", host()]
    if kind == "thread":
        command.append("-Zbuild-std")
    command += ["--target-dir", CRATE / f"target/{kind}-sanitizer", "--", *words]
    env = {
        **FEW_CASES,
        "RUSTC_BOOTSTRAP": "1",
        "RUSTFLAGS": f"{os.environ.get('RUSTFLAGS', '')} {flags}".strip(),
        "ASAN_OPTIONS": "detect_stack_use_after_return=1",
        "TSAN_OPTIONS": "halt_on_error=1",
    }
    run(command, cwd=CRATE, env=env)


def under_valgrind(words: list[str]) -> None:
    """The tests as they are built every day, in memory that is watched."""
    if shutil.which("valgrind") is None:
        give_up("valgrind is missing: apt install valgrind, then run again.")
    command = ["cargo", "test", "--quiet", "--locked", "--lib", "--bins", "--no-run", "--message-format=json"]
    built = output(command, cwd=CRATE) or give_up("the engine's tests can't be built: `cargo test` says why.")
    for line in built.splitlines():
        message = json.loads(line)
        if message.get("executable") and message.get("profile", {}).get("test"):
            with timed(f"{message['target']['name']} under valgrind"):
                watch: list[Word] = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full"]
                run([*watch, "--errors-for-leak-kinds=definite", message["executable"], *words], env=FEW_CASES)


def host() -> str:
    """The target triple that this compiler builds for."""
    return output(["rustc", "--print", "host-tuple"]) or give_up("`rustc --print host-tuple` fails: is Rust there?")


def library() -> Path:
    """The compiler's own `lib/rustlib`."""
    return Path(output(["rustc", "--print", "sysroot"]) or "/nonexistent") / "lib/rustlib"


def has_runtime(kind: str) -> bool:
    """Whether the sanitizer's library came with the compiler."""
    return any((library() / host() / "lib").glob(f"librustc-*_rt.{kind[0]}san.a"))


def has_sources() -> bool:
    """Whether the standard library's sources came with the compiler."""
    return (library() / "src/rust/library").is_dir()


if __name__ == "__main__":
    main()
