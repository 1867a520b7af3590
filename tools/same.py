"""Whether two releases are the same but for signatures: `python -m tools.same ONE TWO`, two folders that `make dist` has made.

Left out are files that are a signature or hold one, and indices of those; a signed .rpm is compared by the hash of what was signed.
Both must be signed by the same keys: the public one is in the keyring package, whose hash is in the index.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tools.console import give_up, output, say

SIGNED = (".minisig", ".asc", "apt/dists/stable/InRelease", "apt/dists/stable/Release.gpg")
"""Signatures, by the ends of their names."""


def main() -> None:
    """Compare; a difference ends it with status 1."""
    if len(sys.argv) != 3:
        give_up("Name two folders: python -m tools.same ONE TWO")
    one, two = (prints(Path(word)) for word in sys.argv[1:])
    if found := differences(one, two):
        give_up("\n".join(found))
    say(f"{len(one)} files are the same; signatures aren't compared")


def prints(folder: Path) -> dict[str, str]:
    """File → what must be the same."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.endswith(SIGNED):
            if name.startswith("dnf/repodata/"):
                # Their names hold their hashes, and they hold those of packages that hold a signature.
                found[name.rpartition("-")[2]] = ""
            else:
                found[name] = _print(path, name)
    return found


def differences(one: dict[str, str], two: dict[str, str]) -> list[str]:
    """A line for each file that is in one alone, or not the same in both."""
    lacking = [f"only in the first: {name}" for name in sorted(one.keys() - two.keys())]
    added = [f"only in the second: {name}" for name in sorted(two.keys() - one.keys())]
    return (
        lacking
        + added
        + [f"not the same: {name}" for name in sorted(one.keys() & two.keys()) if one[name] != two[name]]
    )


def _print(path: Path, name: str) -> str:
    if name.startswith("dnf/") and name.endswith(".rpm"):
        # Of the header, which has the hash of all files, without the signature in front of it.
        return (
            output(["rpm", "--query", "--package", "--nosignature", "--queryformat=%{SHA256HEADER}", path]) or "no rpm"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
