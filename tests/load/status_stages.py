"""`slopn status` with a clock at each of its stages; prints the seconds of each as one JSON document.

Stages don't overlap, and contain the imports that they cause.
"""

from __future__ import annotations

import time

_BEGUN = time.perf_counter()

import functools  # noqa: E402 - what follows is measured
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

STAGES = ("imports", "connect", "greeting", "key", "TLS", "reply")
"""In their order; `rest` is what is left of `whole`."""


def main() -> dict[str, float]:
    """Run the verb."""
    from slopn_app import link
    from slopn_app.cli import main as entry
    from slopn_app.cli.verbs import status  # noqa: F401 - imported here to be measured
    from slopn_app.pairing import Pairing

    seconds = {"imports": time.perf_counter() - _BEGUN}

    def clocked(owner: Any, name: str, stage: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(real)
        def timed(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return real(*arguments, **named)
            finally:
                seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - begun

        setattr(owner, name, timed)

    clocked(link, "_connect", "connect")
    clocked(link, "_first_frame", "greeting")
    clocked(Pairing, "_identity", "key")
    clocked(link, "secure", "TLS")
    clocked(link.Link, "ask", "reply")
    # The private one: the other ends the process.
    code = entry._main(["status"])
    seconds["whole"] = time.perf_counter() - _BEGUN
    if code:
        raise SystemExit(code)
    seconds["rest"] = seconds["whole"] - sum(seconds[stage] for stage in STAGES)
    return seconds


if __name__ == "__main__":
    shown, sys.stdout = sys.stdout, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
    shown.write(json.dumps(main()) + "\n")
    shown.flush()
