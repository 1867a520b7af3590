from __future__ import annotations

import base64
import copy
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.secrets import ProfileSecrets, Secret, SecretError, SecretStore
from slopn_wire import codec

RAW = bytes(range(100, 132))
TEXT = base64.b64encode(RAW).decode()
SECRETS = ProfileSecrets(Secret(RAW), {"peer": Secret(RAW[::-1])})


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    """An open store of this user's."""
    tmp_path.chmod(0o700)
    store = SecretStore(tmp_path / "secrets", os.getuid())
    store.open()
    return store


def shows(shown: str, raw: bytes) -> bool:
    """Whether a text has a stretch of a key in any of the forms in which one could be printed."""
    forms = (base64.b64encode(raw).decode(), raw.hex(), repr(raw)[2:-1], str(list(raw))[1:-1])
    return any(form[start : start + 12] in shown for form in forms for start in range(len(form) - 12))


def test_the_search_for_keys_finds_one() -> None:
    """The search used below sees a key in each form."""
    assert all(shows(f"x{form}y", RAW) for form in (TEXT, RAW.hex(), repr(RAW), list(RAW)))
    assert not shows("Secret(…)", RAW)


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_never_shows_itself(raw: bytes) -> None:
    """Neither str, repr, format, a log line nor a container's repr has a stretch of the key."""
    secret = Secret(raw)
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s %r", (secret, secret), None)
    holder = ProfileSecrets(secret, {"peer": secret})
    for shown in (str(secret), repr(secret), f"{secret} {secret!r} {secret!s:>40}", record.getMessage(), repr(holder)):
        assert not shows(shown, raw)


@given(st.text(max_size=60) | st.binary(max_size=48).map(lambda raw: base64.b64encode(raw).decode()))
def test_a_malformed_key_is_not_quoted(text: str) -> None:
    """The error, with its whole traceback, describes what was wrong and shows none of it."""
    try:
        Secret.from_base64(text)
    except ValueError as error:
        shown = "".join(traceback.format_exception(error))
    else:
        shown = ""
    assert all(text[start : start + 12] not in shown for start in range(len(text) - 12))


@pytest.mark.parametrize("way", [pickle.dumps, copy.deepcopy, codec.encode], ids=["pickle", "deepcopy", "wire"])
def test_a_secret_can_not_leave(way: Callable[[object], object]) -> None:
    """A secret that strays into a message or a pickle stops it."""
    with pytest.raises(TypeError) as caught:
        way({"key": Secret(RAW)})
    assert not shows(str(caught.value), RAW)


def test_a_secret_is_revealed_on_request() -> None:
    """Bytes for the engine, base64 for an export; equal keys are equal."""
    assert Secret(RAW).reveal() == RAW
    assert Secret(RAW).reveal_base64() == TEXT
    assert Secret.from_base64(TEXT) == Secret(RAW) != Secret(RAW[::-1])
    assert hash(Secret(RAW)) == hash(Secret.from_base64(TEXT))


@pytest.mark.parametrize(
    "text", ["", "AAAA", TEXT[:-1], TEXT + "=", TEXT[:-2] + "9=", TEXT.replace("Z", "-"), TEXT + "\n"]
)
def test_only_the_canonical_form_is_a_key(text: str) -> None:
    """As wg has it: 44 characters whose last bits are zero."""
    with pytest.raises(ValueError, match="a key that"):
        Secret.from_base64(text)


def test_secrets_are_kept_and_found(store: SecretStore) -> None:
    """What was put is got back, under an identifier of its own each time; what was removed is gone."""
    first, second = store.put("home", SECRETS), store.put("home", SECRETS)
    assert first != second
    assert store.identifiers() == {first, second}
    assert store.get(first) == SECRETS
    store.remove({first, "never-there"})
    assert store.identifiers() == {second}
    with pytest.raises(SecretError, match="missing"):
        store.get(first)


def test_secrets_lie_in_files_of_their_owner(store: SecretStore, tmp_path: Path) -> None:
    """The directory has mode 0700, the file 0600, whatever the umask."""
    before = os.umask(0)
    try:
        identifier = store.put("home", SECRETS)
    finally:
        os.umask(before)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / f"secrets/{identifier}.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_an_open_directory_is_refused(store: SecretStore, tmp_path: Path, mode: int) -> None:
    """A directory that others may enter is not used, neither to read nor to write, and the sentence says how to mend it."""
    identifier = store.put("home", SECRETS)
    (tmp_path / "secrets").chmod(mode)
    with pytest.raises(SecretError, match=rf"has mode {mode:04o}, .*chmod 0700"):
        store.open()
    with pytest.raises(SecretError, match="has mode"):
        store.get(identifier)
    with pytest.raises(SecretError, match="has mode"):
        store.put("home", SECRETS)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_an_open_file_is_refused(store: SecretStore, tmp_path: Path, mode: int) -> None:
    """A key that others could read is not used."""
    identifier = store.put("home", SECRETS)
    (tmp_path / f"secrets/{identifier}.json").chmod(mode)
    with pytest.raises(SecretError, match=rf"has mode {mode:04o}, .*chmod 0600"):
        store.get(identifier)


def test_a_directory_that_others_could_exchange_is_refused(store: SecretStore, tmp_path: Path) -> None:
    """Whoever may write the parent could put a store of theirs in place."""
    tmp_path.chmod(0o770)
    with pytest.raises(SecretError, match="written by others"):
        store.open()


def test_a_foreign_owner_is_refused(store: SecretStore, tmp_path: Path) -> None:
    """A directory of another user is not used."""
    store.put("home", SECRETS)
    with pytest.raises(SecretError, match=f"belongs to user {os.getuid()}"):
        SecretStore(tmp_path / "secrets", os.getuid() + 1).get("home")


def test_a_link_is_refused(store: SecretStore, tmp_path: Path) -> None:
    """A link in a key's place is not followed."""
    identifier = store.put("home", SECRETS)
    (tmp_path / "secrets/other.json").symlink_to(f"{identifier}.json")
    with pytest.raises(SecretError, match="not a file"):
        store.get("other")
    (tmp_path / "link").symlink_to("secrets")
    with pytest.raises(SecretError, match="not a directory"):
        SecretStore(tmp_path / "link", os.getuid()).open()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"version":1,"private_key":"%s","preshared_keys":{}}' % TEXT[:-4].encode(),
        b'{"version":1,"private_key":"%s"' % TEXT.encode(),
        b'{"version":"%s"}' % TEXT.encode(),
        b'{"version":1,"private_key":7,"preshared_keys":{"p":"%s"}}' % TEXT.encode(),
        b"[" * 5000,
        b'{"version":2,"private_key":"%s","preshared_keys":{}}' % TEXT.encode(),
    ],
)
def test_a_damaged_file_is_reported_without_its_content(store: SecretStore, tmp_path: Path, content: bytes) -> None:
    """Half a file gives a sentence that names it, and neither the message nor the traceback shows a stretch of the key."""
    identifier = store.put("home", SECRETS)
    (tmp_path / f"secrets/{identifier}.json").write_bytes(content)
    with pytest.raises(SecretError, match=identifier) as caught:
        store.get(identifier)
    assert not shows("".join(traceback.format_exception(caught.value)), RAW)


def test_what_a_crash_left_is_swept(store: SecretStore, tmp_path: Path) -> None:
    """A temporary file holds a key as well: opening the store removes it."""
    (tmp_path / "secrets/.tmp-0123").write_text(TEXT)
    store.open()
    assert list((tmp_path / "secrets").iterdir()) == []


def test_a_full_disk_gives_a_sentence(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a key can't be written, the error says so, without it."""

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SecretError, match="No space left") as caught:
        store.put("home", SECRETS)
    assert not shows("".join(traceback.format_exception(caught.value)), RAW)
