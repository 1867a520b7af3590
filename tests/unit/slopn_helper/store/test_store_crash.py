from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.store import Store, Wish
from slopn_wire.settings import Settings
from slopn_wire.state import TargetState
from support.stored import stored_profile, stored_secrets

# Every call that changes what is on disk.
_CALLS = ("open", "write", "fsync", "replace", "unlink", "mkdir")


def killed_at(boundary: int, action: Callable[[], object]) -> bool:
    """Run `action` in a child that is killed by SIGKILL before (even) or after (odd) its n-th call; False: it got through."""
    child = os.fork()
    if child == 0:
        try:
            arm(boundary)
            action()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the action failed by itself"
    return os.WIFSIGNALED(status)


def arm(boundary: int) -> None:
    """Make this process kill itself at the boundary."""
    left = [boundary]

    def count() -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            count()
            result = call(*arguments, **options)
            count()
            return result

        return counted

    for name in _CALLS:
        setattr(os, name, wrapped(getattr(os, name)))


def outcomes(directory: Path, before: Callable[[Store], object], action: Callable[[Store], object]) -> list[object]:
    """What the next start finds after a kill at each boundary of `action`, and at last after none."""
    found: list[object] = []
    for boundary in range(500):
        state = directory / str(boundary)
        before(Store(state, os.getuid()))
        killed = killed_at(boundary, lambda state=state: action(Store(state, os.getuid())))  # type: ignore[misc]
        store = Store(state, os.getuid())
        loaded = store.load()
        assert loaded.warnings == ()
        for each in loaded.profiles:
            number = int(each.addresses[0].ip) & 0xFF
            assert each == stored_profile("home", number)
            assert store.secrets("home") == stored_secrets(number)
        left = sorted(path.name for path in state.rglob("*") if path.is_file())
        assert not [name for name in left if name.startswith(".tmp-")]
        assert len(list((state / "secrets").iterdir())) == len(loaded.profiles)
        found.append((loaded.profiles, loaded.settings, loaded.wish))
        if not killed:
            return found
    raise AssertionError("the action has no end")


def check(found: list[object], old: object, new: object) -> None:
    """At first the old state, from some boundary on the new one, and nothing else ever."""
    turn = found.index(new)
    assert 0 < turn < len(found) - 1, "no kill came before, or none after the change"
    assert found == [old] * turn + [new] * (len(found) - turn)


NOTHING = ((), Settings(), Wish())


def test_a_kill_while_a_profile_is_added(tmp_path: Path) -> None:
    """After a kill at any point the profile is there with its keys, or isn't there, and no key is left over."""
    found = outcomes(
        tmp_path, Store.load, lambda store: store.save_profile(stored_profile("home", 1), stored_secrets(1))
    )
    check(found, NOTHING, ((stored_profile("home", 1),), Settings(), Wish()))


def test_a_kill_while_a_profile_is_replaced(tmp_path: Path) -> None:
    """The old profile has the old keys or the new one the new keys, never one the other's."""

    def before(store: Store) -> None:
        store.load()
        store.save_profile(stored_profile("home", 1), stored_secrets(1))

    found = outcomes(tmp_path, before, lambda store: store.save_profile(stored_profile("home", 2), stored_secrets(2)))
    check(found, ((stored_profile("home", 1),), Settings(), Wish()), ((stored_profile("home", 2),), Settings(), Wish()))


def test_a_kill_while_a_profile_is_removed(tmp_path: Path) -> None:
    """The profile is whole or gone, and its keys go with it."""

    def before(store: Store) -> None:
        store.load()
        store.save_profile(stored_profile("home", 1), stored_secrets(1))

    found = outcomes(tmp_path, before, lambda store: store.remove_profile("home"))
    check(found, ((stored_profile("home", 1),), Settings(), Wish()), NOTHING)


@pytest.mark.parametrize("what", ["settings", "wish"])
def test_a_kill_while_settings_or_wish_are_saved(tmp_path: Path, what: str) -> None:
    """The old value or the new one."""
    settings, wish = Settings(allow_lan=True), Wish(TargetState.SECURED, "home")

    def action(store: Store) -> None:
        if what == "settings":
            store.save_settings(settings)
        else:
            store.save_wish(wish)

    found = outcomes(tmp_path, Store.load, action)
    check(found, NOTHING, ((), settings, Wish()) if what == "settings" else ((), Settings(), wish))


@pytest.mark.parametrize("name", ["wish.json", "settings.json"])
def test_a_kill_while_damage_is_set_aside(tmp_path: Path, name: str) -> None:
    """A start that is killed while it sets a damaged file aside doesn't make the next one find an open host."""
    for boundary in range(100):
        state = tmp_path / str(boundary)
        Store(state, os.getuid()).load()
        (state / name).write_bytes(b"{")
        killed = killed_at(boundary, lambda state=state: Store(state, os.getuid()).load())  # type: ignore[misc]
        loaded = Store(state, os.getuid()).load()
        closed = {
            "wish.json": loaded.wish.target == "secured",
            "settings.json": loaded.settings.kill_switch == "always",
        }
        assert closed[name]
        if not killed:
            return
    raise AssertionError("the start has no end")


def test_a_kill_at_the_first_start(tmp_path: Path) -> None:
    """Half-made directories are no obstacle."""
    for boundary in range(100):
        state = tmp_path / str(boundary) / "deep/state"
        killed = killed_at(boundary, lambda state=state: Store(state, os.getuid()).load())  # type: ignore[misc]
        assert Store(state, os.getuid()).load().profiles == ()
        if not killed:
            assert boundary > 5
            return
    raise AssertionError("the start has no end")
