"""Fuzz what parses foreign bytes, guided by coverage; `make test` runs a short sample of the same checks by itself.

Arguments: seconds a target (60), and perhaps the name of the only one; with `--keep`, the engine's targets put the inputs that reach
most into helper/engine/fuzz/seeds, which `cargo test` runs each time. The engine's targets are Rust (helper/engine/fuzz, cargo-fuzz),
the others Python (tests/fuzz, atheris); both are libFuzzer underneath. What it learns is kept in .cache/fuzz and used by the next
run; what it breaks the code with lies in helper/engine/fuzz/artifacts or .cache/fuzz/artifacts.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
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
SEEDS = CRATE / "seeds"
"""A file a target, an input a line in hexadecimal."""
KEPT, LONGEST = 150, 512
"""Inputs of a target that are kept, and bytes of the longest."""


def main() -> None:
    """Run every target for the same time; the first that finds something ends the program with exit status 1."""
    words = [word for word in sys.argv[1:] if word != "--keep"]
    seconds = int(words[0]) if words else 60
    wanted = words[1:] or [*rust_targets(), *python_targets()]
    for target in wanted:
        if target in rust_targets():
            cargo_fuzz()
            fuzz_rust(target, seconds)
            if "--keep" in sys.argv:
                keep(target)
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
    for seed in kept(target):
        (_corpus(target) / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    with timed(f"fuzz: {target} for {seconds} s"):
        # No sanitizer: it wants a nightly compiler, and safe code has panics and failed checks to find.
        command: list[Word] = [PROGRAM, "run", "--sanitizer", "none", target, _corpus(target), "--", *_options(seconds)]
        run(command, cwd=CRATE.parent)


def kept(target: str) -> list[bytes]:
    """The inputs of this target that are in the repository."""
    path = SEEDS / target
    return [bytes.fromhex(line) for line in path.read_text("ascii").splitlines()] if path.is_file() else []


def keep(target: str) -> None:
    """Put the shortest inputs that together reach what the corpus reaches into the repository."""
    with tempfile.TemporaryDirectory() as folder:
        command: list[Word] = [PROGRAM, "run", "--sanitizer", "none", target, folder, _corpus(target), "--", "-merge=1"]
        run(command, cwd=CRATE.parent, quiet=True)
        write(target, [path.read_bytes() for path in Path(folder).iterdir()])


def write(target: str, inputs: list[bytes]) -> None:
    """The shortest of these become what is kept of this target."""
    chosen = sorted({data for data in inputs if len(data) <= LONGEST}, key=lambda data: (len(data), data))[:KEPT]
    SEEDS.mkdir(exist_ok=True)
    (SEEDS / target).write_text("".join(f"{data.hex()}\n" for data in chosen if data), "ascii")


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
