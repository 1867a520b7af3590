"""`make docs`: the site for users, of docs/ and mkdocs.yml, into .cache/site or another folder. A broken link fails.

With `--check`, as in `make check`, nothing is written, and pages that aren't the code's fail as well.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tools import reference
from tools.console import CACHE, ROOT, VENV, Word, run, say, timed

SITE = CACHE / "site"


def main() -> None:
    """Build it, or check it."""
    reference.main()
    if "--check" in sys.argv[1:]:
        with tempfile.TemporaryDirectory(prefix="slopn-site-") as folder:
            build(Path(folder))
        return
    into = Path(sys.argv[1]).absolute() if sys.argv[1:] else SITE
    with timed("documentation"):
        build(into)
    say(f"   {into / 'index.html'}")


def build(into: Path) -> None:
    """The site in the folder `into`, whose content is replaced. Raises `SystemExit` with what is wrong."""
    words: list[Word] = ["--strict", "--config-file", ROOT / "mkdocs.yml", "--site-dir", into]
    # Its theme tells of what its makers plan, else.
    run([VENV / "bin/mkdocs", "build", *words], env={"NO_MKDOCS_2_WARNING": "1"}, quiet=True)


if __name__ == "__main__":
    main()
