from __future__ import annotations

import pytest

from slopn_helper.conf.errors import ConfError, printable, quoted


def test_an_error_reads_as_a_place_and_a_sentence() -> None:
    """`file:line:column: what was found; what is allowed`, as compilers write it, so that editors can jump there."""
    error = ConfError("wg0.conf", 3, 7, "“x” as port", "a port is a number")
    assert str(error) == "wg0.conf:3:7: “x” as port; a port is a number"
    assert error.message == "“x” as port; a port is a number"


def test_a_file_name_can_not_command_the_terminal() -> None:
    """Escape sequences and line ends in a file's name are shown as escapes."""
    assert str(ConfError("\x1b[2J\n.conf", 1, 1, "a", "b")) == r"\x1b[2J\n.conf:1:1: a; b"


def test_a_file_name_is_cut() -> None:
    """Its end is what people know it by."""
    assert str(ConfError("x" * 1_000_000 + ".conf", 1, 1, "a", "b")) == "…" + "x" * 249 + ".conf:1:1: a; b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("abc", "“abc”"),
        ("a\tb\u202e", r"“a\tb\u202e”"),
        ("\ud800", r"“\ud800”"),
        ("a...." * 20, "“" + ("a...." * 12)[:59] + "…”"),
        ("A" * 15, "“" + "A" * 15 + "”"),
        ("A" * 16, "a word of 16 characters"),
        ("2001:0db8:1111:2222:3333:4444:5555:6666", "“2001:0db8:1111:2222:3333:4444:5555:6666”"),
        ("AAAA:" * 8 + "A", "a word of 41 characters"),
        ("AAAA+AAA /AAA AAAA 0", "a word of 20 characters"),
    ],
)
def test_quoted_describes_what_may_be_a_key(text: str, shown: str) -> None:
    """Sixteen characters of base64 in a row, white space aside, or 33 in pieces are described instead of shown."""
    assert quoted(text) == shown


def test_printable_leaves_letters_alone() -> None:
    """Text in any script stays as it is."""
    assert printable("Büro 東京") == "Büro 東京"
