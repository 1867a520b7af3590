from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_wire.enrolment import EnrolmentLink, LinkError, host_problem, make_link, parse_link

LINK = EnrolmentLink("vpn.example.org", 443, bytes(range(32)), bytes(range(100, 132)))
TEXT = make_link(LINK)
PIN, TOKEN = (urlsafe_b64encode(value).decode().rstrip("=") for value in (LINK.pin, LINK.token))


def test_the_text() -> None:
    """Others make and read links too: the text is a contract."""
    assert f"slopn://enrol?host=vpn.example.org&port=443&pin={PIN}&token={TOKEN}" == TEXT


hosts = st.one_of(
    st.ip_addresses().map(str),
    st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,20}(\.[a-z]([a-z0-9]){0,10}){1,3}", fullmatch=True),
)
values = st.binary(min_size=32, max_size=32)
links = st.builds(EnrolmentLink, hosts, st.integers(1, 65535), values, values)


@given(links)
def test_what_is_made_is_read_back(link: EnrolmentLink) -> None:
    """Each link has one text, and the text says the same link."""
    assert parse_link(make_link(link)) == link


@given(links, st.permutations(range(4)))
def test_in_any_order(link: EnrolmentLink, order: list[int]) -> None:
    """The parts may come in any order, with spaces around the whole, as they do from a mail."""
    head, _, query = make_link(link).partition("?")
    parts = query.split("&")
    assert parse_link(f"  {head}?{'&'.join(parts[at] for at in order)}\n") == link


@given(st.text(max_size=600))
def test_nothing_else_than_link_error(text: str) -> None:
    """Whatever is pasted: a link, or a sentence that says what is wrong."""
    for candidate in (text, "slopn://enrol?" + text, f"{TEXT}{text}", TEXT.replace("443", text)):
        try:
            link = parse_link(candidate)
        except LinkError:
            continue
        assert parse_link(make_link(link)) == link


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with"),
        ("https://enrol?host=a", "begins with"),
        ("slopn://enrol?", "doesn't know"),
        (TEXT.replace("&token=", "&tokens="), "doesn't know"),
        (TEXT + "&token=x", "token twice"),
        (TEXT + "#", "token isn't 32 bytes"),
        (TEXT[:-1], "token isn't 32 bytes"),
        (TEXT.partition("&token")[0], "lacks its token"),
        ("slopn://enrol?host=a.org", "lacks its port and pin and token"),
        (TEXT.replace("443", "0"), "port"),
        (TEXT.replace("443", "65536"), "port"),
        (TEXT.replace("443", "+1"), "port"),
        (TEXT.replace("443", "４４３"), "port"),
        (TEXT.replace("443", ""), "port is empty"),
        (TEXT.replace("vpn.example.org", "a b"), "host"),
        (TEXT.replace("vpn.example.org", "a.example@b"), "host"),
        (TEXT.replace("vpn.example.org", "[2001:db8::1]"), "host"),
        (TEXT.replace("vpn.example.org", "fe80::1%25eth0"), "zone"),
        (TEXT.replace("vpn.example.org", "a" * 600), "at most 512"),
    ],
)
def test_errors_say_what_is_wrong(text: str, says: str) -> None:
    """A person who copied half a link learns so."""
    with pytest.raises(LinkError, match=says):
        parse_link(text)


@pytest.mark.parametrize("last", "BCD")
def test_one_spelling_alone(last: str) -> None:
    """The two spare bits of 43 letters must be zero: else one token had four texts."""
    text = make_link(EnrolmentLink("a.org", 1, bytes(32), bytes(32)))
    assert text.endswith("A")
    with pytest.raises(LinkError, match="token isn't"):
        parse_link(text[:-1] + last)


@pytest.mark.parametrize("text", [TEXT[:-1], TEXT + "&token=x", TEXT.replace("443", "x"), "x" + TEXT])
def test_no_error_shows_the_token(text: str) -> None:
    """Sentences end in logs and reports; a link that is almost right holds a good token."""
    with pytest.raises(LinkError) as caught:
        parse_link(text)
    assert TOKEN[:20] not in str(caught.value)


def test_no_repr_shows_the_token() -> None:
    """Nor does a trace."""
    assert TOKEN not in repr(LINK)
    assert repr(LINK.token) not in repr(LINK)


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("a", True),
        ("xn--bcher-kva.example", True),
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("fe80::1%eth0", False),
        ("192.0.2.256", False),
        ("1", False),
        ("bücher.example", False),
        ("-a.org", False),
        ("a..org", False),
        ("a.org.", False),
        ("", False),
        ("a" * 64 + ".org", False),
        (".".join(["a" * 60] * 5), False),
    ],
)
def test_hosts(host: str, good: bool) -> None:
    """A name that resolvers and certificates take, or an address that means the same everywhere."""
    assert (host_problem(host) is None) == good


@pytest.mark.parametrize(
    "link",
    [
        EnrolmentLink("a b", 1, bytes(32), bytes(32)),
        EnrolmentLink("a", 0, bytes(32), bytes(32)),
        EnrolmentLink("a", 1, bytes(31), bytes(32)),
        EnrolmentLink("a", 1, bytes(32), bytes(33)),
    ],
)
def test_no_bad_link_is_made(link: EnrolmentLink) -> None:
    """What couldn't be read isn't written."""
    with pytest.raises(LinkError):
        make_link(link)
