"""Keep files short: 300 lines is the habit, 500 the end, and what stands in between may only shrink.

`tools/long-files.txt` lists each file above 300 lines with its limit. `--shrink` lowers limits to today's lengths and drops
files that became short; it never raises one: to admit a file, write its line by hand, with a reason in the commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.console import ROOT, give_up, output

SOFT, HARD = 300, 500
SUFFIXES = {".py", ".pyi", ".rs", ".sh"}
ALLOWED = ROOT / "tools/long-files.txt"
HEADER = "# Files above 300 lines, each with the limit that it may not grow past; `make shrink` lowers them.\n"


def main() -> None:
    """`--shrink` lowers the limits; without it they are only compared."""
    if "--shrink" in sys.argv[1:]:
        shrink()
    else:
        check()


def check() -> None:
    """End with a list of complaints unless every source file that git knows keeps its limit."""
    if found := complaints(measured(), limits()):
        give_up("\n".join(found))


def shrink() -> None:
    """Write the allow-list anew with limits lowered to today's lengths."""
    lengths = measured()
    kept = {path: min(limit, lengths[path]) for path, limit in limits().items() if lengths.get(path, 0) > SOFT}
    ALLOWED.write_text(HEADER + "".join(f"{limit} {path}\n" for path, limit in sorted(kept.items())))


def measured() -> dict[str, int]:
    """Lines of each source file that git tracks or would add, by its path from the root."""
    listing = output(["git", "ls-files", "--cached", "--others", "--exclude-standard"])
    if listing is None:
        give_up("`git ls-files` failed: the length check needs a git checkout.")
    # What is vendored stays as long as it is upstream, so that the two can be compared.
    paths = [ROOT / name for name in listing.splitlines() if "vendor" not in Path(name).parts]
    return {
        p.relative_to(ROOT).as_posix(): _lines(p.read_bytes()) for p in paths if p.suffix in SUFFIXES and p.is_file()
    }


def limits() -> dict[str, int]:
    """The allow-list: path → limit."""
    rows = (line.split() for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#"))
    return {path: int(limit) for limit, path in rows}


def _lines(data: bytes) -> int:
    return data.count(b"\n")


def complaints(lengths: dict[str, int], allowed: dict[str, int]) -> list[str]:
    """A sentence for each file that is too long, or shorter than its limit in the allow-list."""
    found = []
    for path, count in sorted(lengths.items()):
        limit = min(allowed.get(path, SOFT), HARD)
        if count > HARD:
            found.append(f"{path}: {count} lines; {HARD} is the end: split it by idea.")
        elif count > limit:
            found.append(f"{path}: {count} lines, limit {limit}: split it by idea (see tools/long-files.txt).")
    for path, limit in sorted(allowed.items()):
        if lengths.get(path, 0) <= SOFT:
            found.append(f"{path}: no longer above {SOFT} lines: run `make shrink`.")
        elif lengths[path] < limit:
            found.append(f"{path}: {lengths[path]} lines, limit {limit}: run `make shrink` to keep the gain.")
    return found


if __name__ == "__main__":
    main()
