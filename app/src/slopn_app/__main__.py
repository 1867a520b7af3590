"""`python -m slopn_app` is the `slopn` command."""

from __future__ import annotations

import sys

from slopn_app.cli.main import main

sys.exit(main())
