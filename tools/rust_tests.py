"""The engine's own tests: units, properties, the fuzz targets over their kept seeds."""

from __future__ import annotations

import sys

from tools.console import ROOT, run, timed

CRATE = ROOT / "helper/engine"


def main() -> None:
    """Run `cargo test` in the crate, and of what it vendors; the feature `python` stays off, since it links no libpython.

    `--renewals N` runs one test alone instead, with that many sessions one after the other.
    """
    if "--renewals" in sys.argv:
        number = sys.argv[sys.argv.index("--renewals") + 1]
        with timed(f"{number} renewals by the test clock"):
            only = ["--release", "--lib", "hostile::window::renewals"]
            run(["cargo", "test", "--quiet", "--locked", *only], cwd=CRATE, env={"REKEYS": number})
        return
    with timed("Rust tests"):
        run(["cargo", "test", "--quiet", "--locked"], cwd=CRATE)
        run(["cargo", "test", "--quiet", "--locked", "--package", "gotatun", "--lib"], cwd=CRATE)


if __name__ == "__main__":
    main()
