"""Where the helper's files and its socket lie, and what becomes of it if somebody was there before."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attacks.answers import kind, shut_out
from attacks.field import Field
from slopn_wire.commands import GetSnapshot
from slopn_wire.events import ErrorKind, Snapshot
from support.helper_process import HelperProcess
from support.netns import Namespace
from support.until import until

MALLORY = 64999


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Namespace]:
    """For helpers that don't come up."""
    with Namespace("places", private=True) as namespace:
        yield namespace


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """A folder of mallory's, in a place that everybody may reach."""
    tmp_path.chmod(0o755)
    own = tmp_path / "mallory"
    own.mkdir()
    os.chown(own, MALLORY, MALLORY)
    return own


def refuses(namespace: Namespace, state: Path, run: Path) -> str:
    """What a helper says that doesn't start; it must end by itself with a status of failure."""
    helper = HelperProcess(namespace, state_dir=state, runtime_dir=run)
    try:
        done = namespace.run(helper.command("client"), check=False, timeout=60.0)
    except subprocess.TimeoutExpired:
        raise AssertionError("the helper has started") from None
    finally:
        shutil.rmtree(helper.dir, ignore_errors=True)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.root
def test_runtime_of_another(elsewhere: Namespace, ground: Path) -> None:
    """The runtime directory is there before the helper, and another user's.

    The helper doesn't start: its socket would be that user's to exchange.
    """
    assert "must be a directory of ours" in refuses(elsewhere, ground.parent / "state", ground)
    assert list(ground.iterdir()) == []


@pytest.mark.root
def test_runtime_open_to_others(elsewhere: Namespace, tmp_path: Path) -> None:
    """The runtime directory is root's, but others may write to it.

    The helper doesn't start.
    """
    run = tmp_path / "run"
    run.mkdir()
    run.chmod(0o777)
    assert "must be a directory of ours" in refuses(elsewhere, tmp_path / "state", run)


@pytest.mark.root
def test_runtime_is_a_link(elsewhere: Namespace, ground: Path) -> None:
    """The runtime directory is a link into a folder of another user's.

    The helper doesn't start, and changes nothing there.
    """
    run = ground.parent / "run"
    run.symlink_to(ground)
    assert "must be a directory of ours" in refuses(elsewhere, ground.parent / "state", run)
    assert ground.stat().st_uid == MALLORY
    assert list(ground.iterdir()) == []


@pytest.mark.root
@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_something_at_the_socket(elsewhere: Namespace, tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A file, a folder or a link lies where the socket shall be.

    The helper doesn't start, and doesn't touch it: nothing but a socket is its own to replace.
    """
    place = tmp_path / "run/helper.sock"
    place.parent.mkdir()
    make(place)
    before = place.lstat()
    assert "is no socket" in refuses(elsewhere, tmp_path / "state", place.parent)
    assert place.lstat() == before


@pytest.mark.root
def test_socket_is_there(elsewhere: Namespace, tmp_path: Path) -> None:
    """A socket that somebody listens at lies where the helper's shall be.

    Only root could have put it there: it is replaced, and whoever listens at the old one is asked nothing.
    """
    place = tmp_path / "run/helper.sock"
    place.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(str(place))
        squatter.listen()
        squatter.setblocking(False)
        helper = HelperProcess(elsewhere, runtime_dir=place.parent)
        try:
            old = place.stat().st_ino
            helper.spawn()
            until(lambda: place.stat().st_ino != old, 20.0, "the socket is another one")
            helper.wait_ready()
            with pytest.raises(BlockingIOError):
                squatter.accept()
        finally:
            helper.kill()
            shutil.rmtree(helper.dir)


@pytest.mark.root
@pytest.mark.parametrize("name", ["pki", "secrets"])
def test_keys_of_another(elsewhere: Namespace, ground: Path, name: str) -> None:
    """The folder of the helper's keys is there before it, and another user's, or a link to one.

    The helper doesn't start: keys are kept where nobody else has been.
    """
    state = ground.parent / "state"
    state.mkdir(mode=0o700)
    shutil.copytree(ground, state / name)
    os.chown(state / name, MALLORY, MALLORY)
    refuses(elsewhere, state, ground.parent / "run")
    (state / name).rmdir()
    (state / name).symlink_to(ground)
    refuses(elsewhere, state, ground.parent / "run")
    assert list(ground.iterdir()) == []


def lost(field: Field, spoil: Callable[[Path], object]) -> None:
    """What a paired front end finds after its helper's keys were spoilt: it isn't known, and can be paired again."""
    mallory = field.user()
    held = field.pair(mallory)
    before = (field.state / "pki/authority.pem").read_bytes()
    assert field.helper.terminate() == 0
    spoil(field.state / "pki")
    field.helper.start()
    field.forget_root()
    field.begin()
    after = field.state / "pki/authority.pem"
    assert after.read_bytes() != before
    assert after.stat().st_mode & 0o777 == 0o600
    assert after.parent.stat().st_mode & 0o777 == 0o700
    with mallory.secured(held.shown) as line:
        assert shut_out(line)
    field.refused(mallory, "foreign_certificate")
    view = field.ask_root(GetSnapshot())
    assert isinstance(view, Snapshot)
    assert "pairings_lost" in {each.code for each in view.health}
    with mallory.secured(field.pair(mallory).shown) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)


def test_authority_deleted(fresh_field: Field) -> None:
    """The authority's key is deleted.

    A new one is made; whoever was paired by the old one must pair again, and the health list says why.
    """
    lost(fresh_field, lambda pki: (pki / "authority.pem").unlink())


def test_authority_damaged(fresh_field: Field) -> None:
    """The authority's key is damaged.

    It is set aside and a new one made; nothing of the damaged one counts.
    """
    lost(fresh_field, lambda pki: (pki / "authority.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n"))


@pytest.mark.parametrize("what", ["authority.pem", "."])
def test_authority_readable(fresh_field: Field, what: str) -> None:
    """Others could read the authority's key, or reach its folder.

    It may have been copied: it is set aside and a new one made.
    """
    lost(fresh_field, lambda pki: (pki / what).chmod(0o755 if what == "." else 0o644))


def test_authority_of_another(fresh_field: Field) -> None:
    """The authority's key has come to belong to another user.

    It is set aside and a new one made.
    """
    lost(fresh_field, lambda pki: os.chown(pki / "authority.pem", MALLORY, MALLORY))


def test_registry_damaged(fresh_field: Field) -> None:
    """The list of paired front ends is damaged.

    It is set aside, and nobody is paired: a certificate alone gives nothing.
    """
    field, mallory = fresh_field, fresh_field.user()
    held = field.pair(mallory)
    assert field.helper.terminate() == 0
    (field.state / "pki/devices.json").write_bytes(b"{")
    field.helper.start()
    field.forget_root()
    field.begin()
    with mallory.secured(held.shown) as line:
        assert kind(line.ask(GetSnapshot())) is ErrorKind.NOT_PAIRED
    field.refused(mallory, *["unknown_certificate"] * 2)
