"""Build the WireGuard engines in Rust that `make bench` compares with ours, into .cache/rivals; nothing of them is shipped or committed."""

from __future__ import annotations

from tools.console import CACHE, run, timed

FOLDER = CACHE / "rivals"
PROGRAMS = ("gotatun-cli", "boringtun-cli")


def main() -> None:
    """Build the latest of each, unless it is there."""
    for name in PROGRAMS:
        if not (FOLDER / "bin" / name).is_file():
            with timed(name):
                run(["cargo", "install", "--quiet", "--locked", "--root", FOLDER, name])


if __name__ == "__main__":
    main()
