"""Which targets there are, where each begins, and the words that they know."""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from fuzz import mutate

HERE = Path(__file__).resolve().parent
FOUND = HERE.parent / "data/fuzz"
SCHEMA = HERE.parents[1] / "helper/wire/schema"
Build = Callable[[random.Random], bytes]


class Target(NamedTuple):
    """What is run with each input, and where to begin."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    build: Build | None
    """Makes an input that gets far, for a target whose first step a fuzzer can't look into."""

    def fresh(self, chance: random.Random, words: list[bytes]) -> bytes:
        """An input that owes nothing to the one before it."""
        if self.build is not None and chance.random() < 0.7:
            return self.build(chance)
        return mutate.mutated(chance, self.seeds, words)


def names() -> list[str]:
    """One target a file."""
    return sorted(path.stem for path in (HERE / "targets").glob("[!_]*.py"))


def load(name: str) -> Target:
    """A target, with seeds made and found."""
    module = importlib.import_module(f"fuzz.targets.{name}")
    return Target(module.target, (*module.seeds(), *found(name)), getattr(module, "build", None))


def found(name: str) -> Iterable[bytes]:
    """Inputs that once broke something."""
    return [path.read_bytes() for path in sorted((FOUND / name).glob("*"))]


def words() -> list[bytes]:
    """Fields, tags and enum members of the wire, quoted as in JSON; and what is awkward in JSON or in text."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(SCHEMA.glob("*.json"))]
    types = {name: kind for document in documents for name, kind in document["$defs"].items()}
    found: set[str] = set()
    for kind in types.values():
        found.update(kind.get("enum", ()))
        found.update(kind.get("properties", ()))
        found.update(field["const"] for field in kind.get("properties", {}).values() if "const" in field)
    return [json.dumps(word).encode() for word in sorted(found)] + _AWKWARD


_AWKWARD = [
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"9007199254740993",
    b"18446744073709551616",
    b'"\\ud800"',
    b'"\\u0000"',
    b"\xff",
    b"\xe2\x80\xa8",
    b"[[[[[[[[",
    b"\x00\x00\x00\x02{}",
    b"\xff\xff\xff\xff",
    b"\n",
    b"\r",
    b'"',
    b"=",
    b"\x1b[2J",
]
