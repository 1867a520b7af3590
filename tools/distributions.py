"""Which installed distributions another one needs at run time, on this platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import Distribution, distribution, packages_distributions

from packaging.requirements import Requirement


def needed(wanted: Iterable[str]) -> list[Distribution]:
    """`wanted`, as `slopn-helper[gateway]`, and what that needs; by name, each once.

    Raises `PackageNotFoundError` for what isn't installed.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in wanted]
    while waiting:
        want = waiting.pop()
        name = want.name.lower().replace("_", "-")
        extras = {"", *want.extras} - {extra for known, extra in seen if known == name}
        seen |= {(name, extra) for extra in extras}
        if not extras:
            continue
        found.setdefault(name, distribution(name))
        for text in found[name].requires or ():
            need = Requirement(text)
            if any(need.marker is None or need.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(need)
    return [found[name] for name in sorted(found)]


def strangers(wanted: Iterable[str]) -> list[str]:
    """Top-level modules that are installed here and belong to nothing that `wanted` needs; sorted.

    A library that can use another one finds it in the environment of a developer, and would take it along.
    """
    known = {each.name for each in needed(wanted)}
    return sorted(module for module, owners in _owners().items() if not known & set(owners))


def modules_of(each: Distribution) -> list[str]:
    """The top-level modules of a distribution; sorted."""
    return sorted(module for module, owners in _owners().items() if each.name in owners)


@cache
def _owners() -> Mapping[str, list[str]]:
    """Top-level module → distributions that it belongs to; read once, for it is every file list of the environment."""
    return packages_distributions()
