"""The parser of `.conf` files: it accepts or points at a place, never shows a key, and reads its own writing as before."""

from __future__ import annotations

from pathlib import Path

from slopn_helper.conf import ConfError, Parsed, parse, write
from slopn_wire.codec import decode, encode
from slopn_wire.profile import Profile

DATA = Path(__file__).resolve().parents[2] / "data/conf"


def target(data: bytes) -> None:
    """What is refused names a line of the file; what is accepted can be stored, sent, written and read again."""
    text = data.decode("utf-8", errors="surrogateescape")
    try:
        parsed = parse(text, "fuzz.conf")
    except ConfError as error:
        assert_told(error, text)
        return
    profile = parsed.named("fuzz")
    assert decode(encode(profile), Profile) == profile
    assert_silent(parsed, profile)
    again = parse(write(profile, parsed.secrets), "again.conf")
    assert again.secrets == parsed.secrets
    assert (again.addresses, again.peers, again.dns) == (parsed.addresses, parsed.peers, parsed.dns)


def assert_told(error: ConfError, text: str) -> None:
    """A place in the file, and words that no terminal obeys."""
    assert 1 <= error.line <= len(text.splitlines()) + 1
    assert error.message.isprintable()
    assert len(error.message) < 1000


def assert_silent(parsed: Parsed, profile: Profile) -> None:
    """No secret key is in anything that is shown."""
    shown = repr(parsed) + str(profile) + encode(profile).decode()
    public = {peer.public_key for peer in profile.peers}
    for secret in (parsed.secrets.private_key, *parsed.secrets.preshared_keys.values()):
        key = secret.reveal_base64()
        assert key in public or key not in shown


def seeds() -> list[bytes]:
    """The files of the parser's own tests."""
    return [path.read_bytes() for folder in ("valid", "broken") for path in sorted((DATA / folder).glob("*.conf"))]
