"""The window with a page that isn't ours in place of ours: whatever the page is, the window's own rules hold it.

`python -m support.strange_page_window`, with the page's folder in $PAGE.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from slopn_app.window import main, pages
from support.driven_window import let_drive

if __name__ == "__main__":
    setattr(pages, "folder", lambda: Path(os.environ["PAGE"]))  # noqa: B010 - what a checker needn't know
    let_drive()
    raise SystemExit(main.run(sys.argv[1:]))
