"""Fuzz what parses foreign bytes, guided by coverage; `make test` runs a short sample of the same checks by itself.

One argument: seconds a target (60). What libFuzzer learns is kept in .cache/fuzz and used by the next run; what it breaks the code
with lies in helper/engine/fuzz/artifacts.
"""

from __future__ import annotations

import sys

from tools import apt
from tools.console import CACHE, ROOT, run, say, timed

CRATE = ROOT / "helper/engine/fuzz"
CARGO_FUZZ = "0.13.2"
PROGRAM = CACHE / "cargo/bin/cargo-fuzz"


def main() -> None:
    """Run every target for the same time; the first that finds something ends the program with exit status 1."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    apt.install(apt.missing(apt.packages("fuzz")))
    if not PROGRAM.is_file():
        with timed(f"cargo-fuzz {CARGO_FUZZ}"):
            run(
                [
                    "cargo",
                    "install",
                    "--quiet",
                    "cargo-fuzz",
                    "--locked",
                    "--version",
                    CARGO_FUZZ,
                    "--root",
                    CACHE / "cargo",
                ]
            )
    for target in targets():
        corpus = CACHE / "fuzz" / target
        corpus.mkdir(parents=True, exist_ok=True)
        with timed(f"fuzz: {target} for {seconds} s"):
            # No sanitizer: it wants a nightly compiler, and safe code has panics and failed checks to find.
            options = [f"-max_total_time={seconds}", "-print_final_stats=1"]
            run([PROGRAM, "run", "--sanitizer", "none", target, corpus, "--", *options], cwd=CRATE.parent)
    say("fuzz: nothing found")


def targets() -> list[str]:
    """One target a file."""
    return sorted(path.stem for path in (CRATE / "fuzz_targets").glob("*.rs"))


if __name__ == "__main__":
    main()
