"""A short sample of what `make fuzz` does at length: the same targets, without the fuzzer."""

from __future__ import annotations

import random

import pytest

from fuzz import registry

SAMPLE = 500


@pytest.mark.parametrize("name", registry.names())
def test_a_target_holds(name: str) -> None:
    """Its seeds, what was found before, and inputs made from them; the same ones each time."""
    target = registry.load(name)
    assert target.seeds
    words = registry.words()
    chance = random.Random(name)
    for data in (b"", *target.seeds, *(target.fresh(chance, words) for _ in range(SAMPLE))):
        try:
            target.run(data)
        except BaseException as error:
            error.add_note(f"{name} was given {data!r}")
            raise


@pytest.mark.parametrize("name", registry.names())
def test_the_sample_comes_again(name: str) -> None:
    """A failure of the sample can be looked at: the same seed makes the same inputs, another one makes others."""
    words = registry.words()
    first, again, other = (
        [registry.load(name).fresh(chance, words) for _ in range(20)] for chance in map(random.Random, (1, 1, 2))
    )
    assert first == again
    assert first != other
    assert len(set(first)) > 10
