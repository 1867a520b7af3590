"""The engine's own tests: units, properties, the fuzz targets over their kept seeds."""

from __future__ import annotations

from tools.console import ROOT, run, timed


def main() -> None:
    """Run `cargo test` in the crate; the feature `python` stays off, since it links no libpython."""
    with timed("Rust tests"):
        run(["cargo", "test", "--quiet", "--locked"], cwd=ROOT / "helper/engine")


if __name__ == "__main__":
    main()
