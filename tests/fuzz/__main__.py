"""One target under atheris: `python -m fuzz TARGET CORPUS [libFuzzer's options]`. See tools/fuzz.py."""

from __future__ import annotations

import importlib
import random
import sys
from pathlib import Path

FRESH = 0.3
"""How often an input is made anew: the decoder is no Python, so coverage alone leads nowhere behind it."""


def main() -> None:
    """Fuzz until an option or a finding ends the process."""
    name, corpus, *options = sys.argv[1:]
    # Comes from its own requirements; the rest of the tests never imports it.
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["slopn_wire", "slopn_helper", "slopn_app"], enable_loader_override=False):
        from fuzz import registry

        target = registry.load(name)
    work = Path(corpus).with_name(f"{Path(corpus).name}.seeds")
    work.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (work / str(number)).write_bytes(seed)
    words = registry.words()
    lines = "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words)
    (dictionary := work.with_suffix(".dict")).write_text(lines)

    def change(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < FRESH:
            return target.fresh(chance, words)[:most]
        changed: bytes = atheris.Mutate(data, most)
        return changed

    arguments = [sys.argv[0], corpus, str(work), f"-dict={dictionary}", *options]
    atheris.Setup(arguments, target.run, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
