from __future__ import annotations

import json
import re
import string
import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slopn_helper.conf import ConfError, parse
from slopn_helper.conf.parser import MAX_NETWORKS, MAX_PEERS
from slopn_wire import codec

DATA = Path(__file__).resolve().parents[3] / "data/conf"
BROKEN = tomllib.loads((DATA / "broken/expected.toml").read_text(encoding="utf-8"))
VALID = json.loads((DATA / "valid/expected.json").read_text(encoding="utf-8"))

PRIVATE = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
PUBLIC = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
INTERFACE = f"[Interface]\nPrivateKey = {PRIVATE}\nAddress = 10.0.0.2/32\n"
FILE = f"{INTERFACE}[Peer]\nPublicKey = {PUBLIC}\nAllowedIPs = 0.0.0.0/0\nEndpoint = 192.0.2.1:51820\n"


def text_of(path: Path) -> str:
    """A file's text, its line ends as they are."""
    return path.read_bytes().decode("utf-8")


def test_the_tables_name_every_file() -> None:
    """No broken or valid file stands without its expectation, and at least 40 classes of defects are covered."""
    assert {path.stem for path in (DATA / "broken").glob("*.conf")} == set(BROKEN)
    assert {path.stem for path in (DATA / "valid").glob("*.conf")} == set(VALID)
    assert len(BROKEN) >= 40


@pytest.mark.parametrize("name", [name for name, expected in BROKEN.items() if "read_by" not in expected])
def test_a_broken_file_is_refused_at_its_place(name: str) -> None:
    """Each broken file gives one error: file, line, column, what was found and what is allowed."""
    expected = BROKEN[name]
    with pytest.raises(ConfError) as caught:
        parse(text_of(DATA / f"broken/{name}.conf"), f"{name}.conf")
    place = f"{name}.conf:{expected['line']}:{expected['column']}: "
    assert str(caught.value) == place + expected["message"]


@pytest.mark.parametrize("name", VALID)
def test_a_valid_file_is_read_as_expected(name: str) -> None:
    """Each valid file gives the profile and the preshared keys beside it."""
    parsed = parse(text_of(DATA / f"valid/{name}.conf"), f"{name}.conf")
    profile = json.loads(codec.encode(parsed.named(name)))
    # What no file can say.
    assert (profile.pop("enrolment"), profile.pop("post_quantum")) == (None, "off")
    preshared = {peer: key.reveal_base64() for peer, key in parsed.secrets.preshared_keys.items()}
    assert {"profile": profile, "preshared_keys": preshared} == VALID[name]
    assert parsed.secrets.private_key.reveal_base64() == PRIVATE


def test_a_file_beyond_all_measure_is_refused() -> None:
    """A file of 256 KiB is read, one character more is not."""
    padding = "#" * (256 * 1024 - len(FILE))
    assert parse(FILE + padding, "x").addresses
    with pytest.raises(ConfError, match=r"^x:1:1: a file of 262145 characters"):
        parse(FILE + padding + "#", "x")


def test_too_many_peers_are_refused() -> None:
    """The peer beyond the limit is the one that is pointed at."""
    text = INTERFACE + "[Peer]\n" * (MAX_PEERS + 1)
    with pytest.raises(ConfError) as caught:
        parse(text, "x")
    assert (caught.value.line, caught.value.column) == (3 + MAX_PEERS + 1, 1)


@pytest.mark.parametrize("network", ["::/0", "10.{0}.{1}.0/24"])
def test_too_many_networks_are_refused(network: str) -> None:
    """Also one that is named again and again: each costs time and memory before it is found to be there."""
    many = ",".join(network.format(number // 256, number % 256) for number in range(MAX_NETWORKS + 1))
    with pytest.raises(ConfError, match=f"a network beyond {MAX_NETWORKS}"):
        parse(FILE.replace("0.0.0.0/0", many), "x.conf")


def test_networks_of_one_peer_may_repeat() -> None:
    """Within a peer the same network counts once, also when its host bits differ."""
    parsed = parse(FILE + "AllowedIPs = 10.1.0.0/16, 10.1.2.3/16\n", "x")
    assert parsed.peers[0].allowed_ips == (IPv4Network("0.0.0.0/0"), IPv4Network("10.1.0.0/16"))


def test_notes_never_quote_a_hook() -> None:
    """A hook may hold a key: the note names its line and nothing more."""
    parsed = parse(INTERFACE + f"PostUp = wg set %i private-key <(echo {PRIVATE})\n" + FILE[len(INTERFACE) :], "x")
    assert parsed.notes == ("Line 4: PostUp is never run.",)


def test_notes_have_an_end() -> None:
    """A file of thousands of hooks gives the first fifty notes and a count of the rest."""
    parsed = parse(INTERFACE + "PostUp = true\n" * 1050 + FILE[len(INTERFACE) :], "x")
    assert len(parsed.notes) == 51
    assert parsed.notes[49:] == ("Line 53: PostUp is never run.", "And 1000 lines more that are not obeyed.")


# Pieces from which a file that is nearly right is made more often than by chance.
PIECES = st.sampled_from(
    [
        *"[]=#,;:/%\t\r\n\0 \ufeff\u00a0\u2028\x0b\x1c٣ß",
        *("[Interface]\n", "[Peer]\n", "\n", " = ", f"PrivateKey = {PRIVATE}\n", f"PublicKey = {PUBLIC}\n"),
        *("Address = ", "DNS = ", "MTU = ", "Table = ", "SaveConfig = ", "PostUp = ", "ListenPort = ", "FwMark = "),
        *("PresharedKey = ", "AllowedIPs = ", "Endpoint = ", "PersistentKeepalive = ", "10.0.0.2", "/32", "fd00::2"),
        *("192.0.2.1:51820", "[2001:db8::1]:51820", "vpn.example.net:1", "off", "auto", "true", "0x1", "9" * 5000),
        *("\ud800", "-1", "+1", "1_0", "%eth0", "::", "0.0.0.0/0"),
    ]
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=40).map("".join))
@example("Endpoint=[")
@example(FILE.replace("51820", "²"))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    """No text makes the parser fail otherwise than by an error inside the text."""
    refused_inside(text)


@given(st.lists(st.tuples(st.integers(0, len(FILE)), st.integers(0, 3), PIECES), max_size=4))
def test_a_damaged_file_is_read_or_refused_at_a_place_in_it(edits: list[tuple[int, int, str]]) -> None:
    """The same for a good file with a few pieces cut out and put in."""
    text = FILE
    for position, cut, piece in edits:
        text = text[:position] + piece + text[position + cut :]
    refused_inside(text)


@given(st.binary(max_size=200))
def test_any_bytes_that_are_text_are_read_or_refused(raw: bytes) -> None:
    """The same for bytes, as a caller that decodes leniently would hand them over."""
    refused_inside(raw.decode("utf-8", errors="surrogateescape"))


def refused_inside(text: str) -> None:
    """Parse; an error's place must exist, and its message be one printable line."""
    error = error_of(text)
    if error is not None:
        lines = text.removeprefix("\ufeff").split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert str(error).isprintable()


def error_of(text: str) -> ConfError | None:
    """The error that a text gives; None: it is a profile."""
    try:
        parse(text, "x.conf")
    except ConfError as error:
        return error
    return None


BASE64 = string.ascii_letters + string.digits + "+/"


@given(
    st.text(BASE64, min_size=43, max_size=43),
    st.sampled_from(["PrivateKey", "PresharedKey", "PublicKey", "Address", "DNS", "MTU", "Table", "Endpoint"]),
    st.sampled_from(
        ["{} = {}=", "{} {}=", "{}={}=", "{} = [{}=", "{} = {}:1", "[{}{}", "{}\n{}=", "{} =\n {}", "{1}=", "{1}"]
    ),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.sampled_from([*" ,:.\t=#[]/\n", ""])), max_size=2),
    st.booleans(),
)
def test_no_error_shows_a_key(secret: str, key: str, form: str, edits: list[tuple[int, int, str]], peer: bool) -> None:
    """Wherever a key stands, also mangled or in a wrong line, no message, repr or note shows a stretch of it."""
    line = form.format(key, secret)
    for position, cut, piece in edits:
        line = line[:position] + piece + line[position + cut :]
    text = (FILE if peer else INTERFACE) + line + "\n" + ("" if peer else FILE[len(INTERFACE) :])
    try:
        parsed = parse(text, "x.conf")
        shown = f"{parsed.notes} {parsed.secrets}"
    except ConfError as error:
        shown = f"{error} {error!r} {error.found} {error.allowed} {error.args}"
    shown = re.sub(r"[^A-Za-z0-9+/]", "", shown)
    # What was cut in two may still show its shorter part; what was cut in three and has odd signs in it, 32 characters.
    stretch = 16 if len(edits) < 2 else 33
    windows = {secret[start : start + stretch] for start in range(len(secret) - stretch + 1)}
    assert not [window for window in windows if window in shown]
