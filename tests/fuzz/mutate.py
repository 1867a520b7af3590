"""Mutations as a fuzzer makes them, without one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Change = Callable[[random.Random, bytearray, Sequence[bytes], Sequence[bytes]], None]
MOST = 1 << 14
"""Bytes of the longest input."""


def mutated(chance: random.Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One of the seeds with one to eight changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        chance.choice(_CHANGES)(chance, data, seeds, words)
    return bytes(data[:MOST])


def _flip(chance: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(chance: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _insert(chance: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    place = chance.randint(0, len(data))
    data[place:place] = chance.randbytes(chance.randint(1, 8))


def _word(chance: random.Random, data: bytearray, _seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    start, end = _range(chance, data)
    data[start : chance.choice((start, end))] = chance.choice(words)


def _remove(chance: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    start, end = _range(chance, data)
    del data[start:end]


def _repeat(chance: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    start, end = _range(chance, data)
    data[end:end] = data[start:end] * chance.choice((1, 2, 50))
    del data[MOST:]


def _splice(chance: random.Random, data: bytearray, seeds: Sequence[bytes], _words: Sequence[bytes]) -> None:
    other = chance.choice(seeds)
    data[chance.randint(0, len(data)) :] = other[chance.randint(0, len(other)) :]


def _cut(chance: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    del data[chance.randint(0, len(data)) :]


def _range(chance: random.Random, data: bytearray) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, min(len(data), start + chance.choice((1, 4, 16, 64)))


_CHANGES: tuple[Change, ...] = (_flip, _overwrite, _insert, _word, _remove, _repeat, _splice, _cut)
