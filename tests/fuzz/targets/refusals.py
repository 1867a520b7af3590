"""The log line that Fail2Ban reads: nobody can forge a field or a second line by a name or a path of their choice."""

from __future__ import annotations

import json
import re

from fuzz.bytestream import Feed
from slopn_helper.ipc.refusals import Why, line

# Written from the documentation, as a filter's author would.
FORMAT = re.compile(
    r"refused uid=(?P<uid>\d+) why=(?P<why>[a-z_]+) pid=(?P<pid>\d+) session=(?P<session>[A-Za-z0-9]{1,32}|-)"
    r'(?: more=(?P<more>\d+))? user="(?P<user>(?:[^"\\]|\\.)*)" exe="(?P<exe>(?:[^"\\]|\\.)*)"'
)
LONGEST = 6 * (64 + 256) + 200


def target(data: bytes) -> None:
    """The line has its one form, is short, plain ASCII, and says who it was."""
    feed = Feed(data)
    why = list(Why)[feed.number(255) % len(Why)]
    uid, pid, more = feed.number(2**32 - 1), feed.number(2**22), feed.number(255)
    session, user, exe = feed.text(), feed.text(), feed.rest().decode("utf-8", errors="surrogateescape")
    made = line(why, uid=uid, pid=pid, session=session, user=user, exe=exe, more=more)
    assert made.isascii()
    assert made.isprintable()
    assert len(made) <= LONGEST
    found = FORMAT.fullmatch(made)
    assert found is not None, made
    assert (int(found["uid"]), found["why"], int(found["pid"])) == (uid, why.value, pid)
    assert int(found["more"] or 0) == more
    assert found["session"] in {session, "-"}
    assert told(found["user"], user)
    assert told(found["exe"], exe)
    # A filter that looks for the first match anywhere in a line finds the same.
    assert re.search(r"refused uid=(\d+)", made).group(1) == str(uid)  # type: ignore[union-attr]


def told(written: str, text: str) -> bool:
    """Whether a quoted field is the text, or its beginning and a mark."""
    read: str = json.loads(f'"{written}"')
    return read == text or (read.endswith("…") and text.startswith(read[:-1]))


def seeds() -> list[bytes]:
    """An honest one, and tries to forge."""
    head = bytes([3]) + (1001).to_bytes(4, "little") + (42).to_bytes(3, "little") + bytes([0])
    tries = [
        (b"c2", b"mallory", b"/home/mallory/x"),
        (b"c2 uid=0", b'x" exe="/usr/bin/slopn', b'/tmp/a"\nrefused uid=0 why=user pid=1'),
        (b"", "ünï\u2028\u202e".encode(), b"\xff\xfe\x00\x1b[2J" + b"A" * 500),
        (b"c" * 40, b"\\", b"\\\\\\"),
    ]
    return [head + bytes([len(a)]) + a + bytes([len(b)]) + b + c for a, b, c in tries]
