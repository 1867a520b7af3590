from __future__ import annotations

from typing import Any

import pytest

from slopn_helper.store import documents
from slopn_helper.store.documents import Damaged, NewerFormat, Wish, pack, unpack
from slopn_wire.settings import Settings
from slopn_wire.state import TargetState

WISH = Wish(TargetState.SECURED, "home")


def test_what_is_packed_is_unpacked() -> None:
    """A file carries its format's number and its content, and ends like a text file."""
    raw = pack(WISH)
    assert b'"version": 1' in raw
    assert raw.endswith(b"}\n")
    assert unpack(raw, Wish) == WISH


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 64,
        b"{}",
        b"[1]",
        b'{"version":1}',
        b'{"version":"1","content":{}}',
        b'{"version":1,"content":[]}',
        b'{"version":1,"content":{"target":"maybe"}}',
        b'{"version":1,"content":{"target":7}}',
        pack(WISH)[:-5],
        pack(WISH).replace(b"home", b"\xff\xfe"),
        b'{"version":1,"content":' + b"[" * 5000,
    ],
)
def test_anything_else_is_damaged(raw: bytes) -> None:
    """Half a file, another file or a file of zeros is told from a good one."""
    with pytest.raises(Damaged):
        unpack(raw, Wish)


def test_an_address_that_is_none_is_damage() -> None:
    """Errors of the types within are damage as well."""
    raw = pack(Settings()).replace(b'"resolvers": []', b'"resolvers": ["10.0.0.300"]')
    assert b"10.0.0.300" in raw
    with pytest.raises(Damaged):
        unpack(raw, Settings)


def test_a_newer_format_is_not_damage() -> None:
    """A file from the future is told apart from a damaged one: it must be left alone."""
    with pytest.raises(NewerFormat, match="format 2; this SloPN knows 1"):
        unpack(pack(WISH).replace(b'"version": 1', b'"version": 2'), Wish)


def test_older_formats_are_migrated_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of format 1 goes through each later format's migration of its type; other types stay as they are."""

    def rename(content: Any) -> Any:
        return {"target": content["wanted"]}

    def add(content: Any) -> Any:
        return {**content, "profile": "home"}

    old = pack(WISH).replace(b'"target"', b'"wanted"')
    monkeypatch.setattr(documents, "VERSION", 4)
    monkeypatch.setattr(documents, "MIGRATIONS", {("Wish", 1): rename, ("Wish", 3): add, ("Settings", 1): add})
    assert unpack(old, Wish) == WISH


def test_a_migration_that_fails_means_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content that the migration didn't expect is damage, not a crash at every start."""
    monkeypatch.setattr(documents, "VERSION", 2)
    monkeypatch.setattr(documents, "MIGRATIONS", {("Wish", 1): lambda content: content["missing"]})
    with pytest.raises(Damaged):
        unpack(pack(WISH).replace(b'"version": 2', b'"version": 1'), Wish)
