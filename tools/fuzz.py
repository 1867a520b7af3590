"""Fuzz what parses foreign bytes, guided by coverage; `make test` runs a short sample of the same checks by itself.

Arguments: seconds a target (60), and perhaps the name of the only one. The engine's targets are Rust (helper/engine/fuzz, cargo-fuzz),
the others Python (tests/fuzz, atheris); both are libFuzzer underneath. What it learns is kept in .cache/fuzz and used by the next
run; what it breaks the code with lies in helper/engine/fuzz/artifacts or .cache/fuzz/artifacts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tools import apt, setup
from tools.console import CACHE, ROOT, VENV, Word, give_up, run, say, timed
from tools.stamps import digest, is_done, mark_done

CRATE = ROOT / "helper/engine/fuzz"
CARGO_FUZZ = "0.13.2"
PROGRAM = CACHE / "cargo/bin/cargo-fuzz"
PYTHON_TARGETS = ROOT / "tests/fuzz/targets"
PACKAGES = CACHE / "fuzz-packages"
CORPUS = CACHE / "fuzz"
SLOWEST = 20
"""Seconds for one input; a longer one is a finding."""


def main() -> None:
    """Run every target for the same time; the first that finds something ends the program with exit status 1."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    wanted = sys.argv[2:] or [*rust_targets(), *python_targets()]
    for target in wanted:
        if target in rust_targets():
            cargo_fuzz()
            fuzz_rust(target, seconds)
        elif target in python_targets():
            atheris()
            fuzz_python(target, seconds)
        else:
            give_up(f"No target {target!r}: there are {', '.join([*rust_targets(), *python_targets()])}.")
    say("fuzz: nothing found")


def rust_targets() -> list[str]:
    """One target a file."""
    return sorted(path.stem for path in (CRATE / "fuzz_targets").glob("*.rs"))


def python_targets() -> list[str]:
    """One target a file."""
    return sorted(path.stem for path in PYTHON_TARGETS.glob("[!_]*.py"))


def fuzz_rust(target: str, seconds: int) -> None:
    """One of the engine's."""
    with timed(f"fuzz: {target} for {seconds} s"):
        # No sanitizer: it wants a nightly compiler, and safe code has panics and failed checks to find.
        command: list[Word] = [PROGRAM, "run", "--sanitizer", "none", target, _corpus(target), "--", *_options(seconds)]
        run(command, cwd=CRATE.parent)


def fuzz_python(target: str, seconds: int) -> None:
    """One of the rest."""
    artifacts = CORPUS / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    options = [*_options(seconds), f"-timeout={SLOWEST}", f"-artifact_prefix={artifacts}/{target}-"]
    path = os.pathsep.join(map(str, (ROOT / "tests", PACKAGES)))
    with timed(f"fuzz: {target} for {seconds} s"):
        run([VENV / "bin/python", "-m", "fuzz", target, _corpus(target), *options], env={"PYTHONPATH": path})


def cargo_fuzz() -> None:
    """Build it where it isn't there."""
    apt.install(apt.missing(apt.packages("fuzz")))
    if PROGRAM.is_file():
        return
    with timed(f"cargo-fuzz {CARGO_FUZZ}"):
        words: list[Word] = ["cargo", "install", "--quiet", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ]
        run([*words, "--root", CACHE / "cargo"])


def atheris() -> None:
    """Install it beside the environment: 35 MB that only this wants, and for few processors."""
    requirements = ROOT / "requirements/fuzz.txt"
    key = digest([requirements], setup.python_version())
    if is_done("fuzz-packages", key) and PACKAGES.is_dir():
        return
    with timed("atheris, by its hash"):
        run([*setup.uv_install(), "--require-hashes", "--target", PACKAGES, "-r", requirements])
    mark_done("fuzz-packages", key)


def _corpus(target: str) -> Path:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _options(seconds: int) -> list[str]:
    return [f"-max_total_time={seconds}", "-print_final_stats=1"]


if __name__ == "__main__":
    main()
