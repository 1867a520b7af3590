from __future__ import annotations

import base64
import json
import secrets
import string
import urllib.parse
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given
from hypothesis import strategies as st

from slopn_helper.logs.redaction import NAME, REDACTED, redact

KEYS = st.binary(min_size=32, max_size=32)
AROUND = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
# With a beginning that stands nowhere else.
TOKENS = st.text(string.ascii_letters + string.digits + "-_.~", max_size=80).map(lambda text: f"zq7-{text}")
# A word that stands right in front of a name makes another one of it.
BEFORE = AROUND.map(lambda text: f"{text} ")


def forms(key: bytes) -> list[str]:
    """A key as programs write it: both alphabets of base64, hexadecimal, and what JSON and URLs make of them."""
    plain = base64.b64encode(key).decode()
    quoted = urllib.parse.quote(plain, safe="")
    return [
        plain,
        base64.urlsafe_b64encode(key).decode(),
        key.hex(),
        key.hex().upper(),
        quoted,
        quoted.lower() if plain.islower() else quoted.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d"),
        urllib.parse.quote(quoted, safe=""),
        plain.replace("/", "\\/"),
        plain.replace("/", "\\\\/"),
        plain.replace("/", "\\u002f").replace("+", "\\u002B").replace("=", "\\u003d"),
    ]


@given(KEYS, AROUND, AROUND)
def test_no_key_passes_in_any_form(key: bytes, before: str, after: str) -> None:
    """Base64 of both alphabets, escaped or not, and hexadecimal, with anything glued in front or behind."""
    for form in forms(key):
        for text in (f"{before}{form}{after}", f"PrivateKey={form}", f"https://host/{form}?k={form}&x=1", f"b'{form}'"):
            assert form not in redact(text)
            assert form[:40] not in redact(text)


@given(KEYS, KEYS)
def test_two_keys_in_one_line_are_both_gone(one: bytes, two: bytes) -> None:
    """The second is found, too, also right behind the first."""
    for separator in ("", " ", ",", "/", "="):
        for first, second in zip(forms(one), forms(two), strict=True):
            assert second not in redact(f"{first}{separator}{second}")
            assert first not in redact(f"{first}{separator}{second}")


@given(KEYS)
def test_no_key_passes_as_bytes_or_numbers(key: bytes) -> None:
    """As debuggers and other languages show them: a list of numbers, pairs of digits with colons."""
    assert str(list(key))[1:-1] not in redact(f"key: {list(key)}")
    assert ",".join(map(str, key)) not in redact(f"[{','.join(map(str, key))}]")
    assert key.hex(":") not in redact(f"fingerprint {key.hex(':')}.")


@given(st.binary(min_size=32, max_size=32).filter(lambda key: str(key).count("\\x") >= 8))
def test_no_key_passes_as_python_shows_bytes(key: bytes) -> None:
    """Unless it is mostly letters, which thirty-two random bytes are not."""
    assert str(key)[2:-1] not in redact(f"got {key!r} and {{'k': {key!r}}}")


@pytest.fixture(scope="module")
def pem() -> str:
    """A private key as cryptography writes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    "written",
    [
        str,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: json.dumps({"pem": text}),
        lambda text: json.dumps(json.dumps({"pem": text})),
        urllib.parse.quote,
        urllib.parse.quote_plus,
        repr,
        lambda text: text[: text.index("-----END")],
        lambda text: text[: len(text) // 2],
        lambda text: "\n".join(text.splitlines()[1:-1]),
        lambda text: text.splitlines()[1],
    ],
    ids=["plain", "crlf", "json", "twice-json", "url", "form", "repr", "no-end", "cut", "no-frame", "one-line"],
)
def test_no_part_of_a_pem_passes(pem: str, written: Callable[[str], str]) -> None:
    """Whole, escaped, cut off before its end, or a line of it alone."""
    told = redact(f"certificate: {written(pem)}")
    body = "".join(pem.splitlines()[1:-1])
    assert [body[at : at + 24] for at in range(0, 64, 8) if body[at : at + 24] in told] == []


def test_what_kind_of_pem_it_was_stays_readable() -> None:
    """And so does what stands behind it, also behind two of them."""
    text = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    assert redact(f"a {text} b {text} c") == "a [redacted CERTIFICATE] b [redacted CERTIFICATE] c"


@given(TOKENS, BEFORE, AROUND)
@example("zq7-0.0", ": ", ": ")
def test_no_token_passes_behind_its_name(token: str, before: str, after: str) -> None:
    """In a query, a header, a file of settings, JSON, JSON in JSON and Python's own notation."""
    told = [
        f"https://host/enrol?token={token}&x=1",
        f"https://host/enrol?a=b&access_token={token}",
        f"Authorization: Bearer {token}",
        f"authorization: basic {token}",
        f"PresharedKey = {token}",
        f"password: {token}",
        json.dumps({"secret": token, "x": 1}),
        json.dumps(json.dumps({"api_key": token})),
        repr({"passphrase": token}),
        urllib.parse.quote(f"token={token}", safe="."),
    ]
    for text in told:
        assert token not in redact(f"{before}{text} {after}"), text


def test_a_value_with_spaces_is_gone_whole() -> None:
    """Where quotes say how far it goes."""
    for text in (
        '{"password": "correct horse battery"}',
        "{'password': 'correct horse battery'}",
        'password="correct horse"',
    ):
        assert "horse" not in redact(text)


@pytest.mark.parametrize("size", [32, 48])
def test_no_random_word_passes(size: int) -> None:
    """Nor do web tokens: nothing needs to be called a secret if it looks like one."""
    for _ in range(50):
        token = secrets.token_urlsafe(size)
        if all(
            any(c in kind for c in token) for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits)
        ):
            assert token not in redact(f"got {token} back")
    web = ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256"}', b"{}" * 9, b"x" * 9)
    )
    assert redact(f"with {web}!") == f"with {REDACTED}!"


@pytest.mark.parametrize("text", ["pairing number 482913", "The number is 482 913.", "pairing: 482-913", "PIN=482913"])
def test_no_pairing_number_passes(text: str) -> None:
    """Six digits behind the word for them, however they are grouped."""
    assert "482" not in redact(text)
    assert "913" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "connected to 192.0.2.1:51820 after 3 tries",
        "/usr/lib/python3/dist-packages/slopn_helper/host/firewall/nftables.py",
        "/usr/lib/x86_64-linux-gnu/NetworkManager/1.42.4/libnm-device-plugin-wwan",
        "interface=slopn0 mtu=1420",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",  # a commit: 40 digits
        "boot 4f3c2b1a-9d8e-4c7b-a6f5-0e1d2c3b4a59",
        "x" * 42 + "=",
        "routes: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16",
        "refused uid=1001 why=unknown_certificate pid=424242 session=c2",
        "12 tokens left; passed 3 of 4",
        "slopn_helper.tunnel.driver.TunnelDriver._carry_out.locals.follow_up",
        "",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """What is no secret is left readable."""
    assert redact(text) == text


@given(KEYS, TOKENS, AROUND)
def test_redacting_again_changes_nothing(key: bytes, token: str, around: str) -> None:
    """So text may pass by here on its way to the log and once more on its way into a bundle."""
    for form in forms(key):
        once = redact(f"{around} token={token} key={form} {json.dumps({'secret': token})} {around}")
        assert redact(once) == once


def test_redaction_takes_linear_time() -> None:
    """A megabyte without any key, made of a key's characters, ends at once instead of after hours."""
    text = "G" * 1_000_000 + "!" + "%2B" * 100_000 + "\\/" * 100_000
    assert redact(text) == text
    for part in (
        "\\",
        "%25",
        "-----BEGIN X-----",
        "eyJ",
        "token=",
        'secret":"',
        "b'\\x",
        "1,",
        "0a:",
        "number ",
        "key",
        "bearer ",
    ):
        redact(part * 30_000)


@pytest.mark.parametrize(
    "name", ["private_key", "token", "api-key", "PresharedKey", "session_key", "password", "number", "pin"]
)
def test_names_of_secret_fields_are_known(name: str) -> None:
    """In the ways that programs write them."""
    assert NAME.search(name)


@pytest.mark.parametrize("name", ["uid", "monkey", "key_count", "profile", "numbers", "public_key", "spin"])
def test_names_of_other_fields_are_not(name: str) -> None:
    """A public key is caught by its form."""
    assert not NAME.search(name)
