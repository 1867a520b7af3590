from __future__ import annotations

import pytest

from slopn_helper.conf.errors import Defect
from slopn_helper.conf.lexer import Entry, Section, Token, lex


def test_each_token_has_its_place() -> None:
    """Lines and columns count from 1, white space and the byte order mark are outside, an empty value has a place."""
    text = "\ufeff[Interface] # a\r\n\n\t Key =\t va lue  # b\nEmpty =\n"
    section, entry, empty = lex(text)
    assert section == Section("interface", Token("[Interface]", 1, 1))
    assert entry == Entry(Token("Key", 3, 3), Token("va lue", 3, 10))
    assert empty == Entry(Token("Empty", 4, 1), Token("", 4, 8))


def test_only_white_space_of_the_c_locale_counts() -> None:
    """A no-break space or an Unicode line separator belongs to the token, as for wg."""
    (entry,) = lex("Key\u00a0= v\u2028w")
    assert isinstance(entry, Entry)
    assert (entry.key.text, entry.value.text) == ("Key\u00a0", "v\u2028w")


def test_items_stand_between_commas() -> None:
    """Each item has the place of its first character; nothing between two commas is an item, too."""
    token = Token("a ,  b,,c", 2, 5)
    assert [(item.text, item.column) for item in token.items()] == [("a", 5), ("b", 10), ("", 12), ("c", 13)]


def test_words_stand_between_commas_or_space() -> None:
    """As wg-quick splits Address and DNS: empty words don't count."""
    token = Token("a b,,\tc,", 2, 5)
    assert [(word.text, word.column) for word in token.words()] == [("a", 5), ("b", 7), ("c", 11)]


def test_a_token_never_shows_its_text() -> None:
    """A token may be a key, so its repr is its place."""
    assert repr(Token("secret", 3, 9)) == "Token(3:9)"
    assert "secret" not in repr(Entry(Token("secret", 1, 1), Token("secret", 1, 5)))


@pytest.mark.parametrize(("text", "line", "column"), [("\n a\0", 2, 3), ("# \0", 1, 3), ("[x", 1, 1), ("=", 1, 1)])
def test_a_defect_has_its_place(text: str, line: int, column: int) -> None:
    """What can't be a section or a key and value is refused where it stands; a NUL even in a comment."""
    with pytest.raises(Defect) as caught:
        list(lex(text))
    assert (caught.value.line, caught.value.column) == (line, column)
