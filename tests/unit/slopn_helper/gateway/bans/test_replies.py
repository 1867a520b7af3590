from __future__ import annotations

import collections
import fractions
import os
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.bans.replies import END, LARGEST, BadReply, command, read

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.tuples(inner, inner),
    max_leaves=12,
)


class Call:
    """Pickles as a call of a function: what an attack is made of."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._reduced = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._reduced


def depth(value: object) -> int:
    """How deeply lists and tuples are nested."""
    return 1 + max(map(depth, value), default=0) if isinstance(value, list | tuple) else 0


@given(PLAIN.filter(lambda value: depth(value) <= 8), st.sampled_from([4, 5]))
def test_plain_values_are_read_as_they_are(value: object, protocol: int) -> None:
    """Whatever Python's own pickler makes of texts, numbers, lists and tuples."""
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [4, 5])
def test_fail2bans_own_class_is_its_text(protocol: int) -> None:
    """Its addresses reduce to str, its refusals are exceptions."""
    sent = (0, [Call(str, "192.0.2.1"), Call(str, "2001:db8::/64"), "192.0.2.3"])
    assert read(pickle.dumps(sent, protocol)) == (0, ["192.0.2.1", "2001:db8::/64", "192.0.2.3"])
    assert read(pickle.dumps([1, KeyError("slopn")], protocol)) == [1, "slopn"]
    named = b"\x80\x02cfail2ban.server.ipdns\nIPAddr\nX\x09\x00\x00\x00192.0.2.1\x85R."
    assert read(named) == "192.0.2.1"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), max_size=5))
def test_fail2ban_reads_our_commands(words: list[str]) -> None:
    """A list of texts, for any unpickler."""
    sent = command(*words)
    assert sent.endswith(END)
    assert pickle.loads(sent.removesuffix(END)) == words  # noqa: S301 - our own


@pytest.mark.parametrize(
    "hostile",
    [
        Call(os.system, "touch /tmp/slopn-was-here"),
        Call(eval, "1+1"),
        Call(exec, "x=1"),
        Call(getattr, "x", "__class__"),
        Call(__import__, "os"),
        Call(open, "/tmp/slopn-was-here", "w"),
        Call(bytearray, 1 << 40),
        Call(str, Call(os.getpid)),
        Call(str, ["a list"]),
        [0, [Call(os.getcwd)]],
        (0, [collections.OrderedDict(a=1)]),
        fractions.Fraction(1, 3),
        {"a": "mapping"},
        {"a", "set"},
        b"bytes",
        Call,
        str,
        [str],
        range(3),
    ],
    ids=lambda hostile: type(hostile).__name__,
)
@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_hostile_pickles_are_refused_and_nothing_is_called(hostile: object, protocol: int, tmp_path: Any) -> None:
    """Calls, classes, and what Fail2Ban never sends, in each protocol."""
    with pytest.raises(BadReply):
        read(pickle.dumps(hostile, protocol))
    assert not os.path.exists("/tmp/slopn-was-here")  # noqa: PTH110 - the attack's own spelling
    assert not list(tmp_path.iterdir())


MARK, STOP = b"(", b"."
NESTED = b"]" + b"\x85" * 100000 + STOP
BOMB = b"\x80\x04]\x94" + b"".join(b"]\x94(" + bytes([ord("h"), number]) * 10 + b"e" for number in range(20)) + STOP


@pytest.mark.parametrize(
    "data",
    [
        b"",
        STOP,
        b"N",
        b"NN.",
        b"(.",
        b"0.",
        b"e.",
        b"a.",
        b"\x85.",
        b"\x93.",
        b"R.",
        b"h\x05.",
        b"]" + b"h\x00.",
        b"](Ne",
        b"((((.",
        b"N(Ne.",
        b"X\xff\xff\xff\xffabc",
        b"\x8d" + struct.pack("<Q", 1 << 62) + b"a.",
        b"\x8b" + struct.pack("<i", -5) + b".",
        b"X\x02\x00\x00\x00\xff\xfe.",
        b"r\xff\xff\xff\x7f.",
        b"Nr\xff\xff\xff\x7f.",
        b"q\xff.",
        b"cos\nsystem\n.",
        b"cbuiltins\nstr\n.",
        b"cbuiltins\nstr\n(lR.",
        b"\x80\x04]\x94h\x00\x85R.",
        b"\x80\x04]\x94(h\x00e.",
        b"\x82\x01.",
        b"P123\n.",
        b"NQ.",
        b"cbuiltins\nstr\n)\x81.",
        b"cbuiltins\nstr\n}b.",
        b"(ibuiltins\nstr\n.",
        b"I01\n.",
        b"L" + b"9" * 100 + b"L\n.",
        b"\x97.",
        b"\xff\xff",
        NESTED,
        BOMB,
        b"N" * (LARGEST + 1),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_what_is_no_pickle_of_values_is_refused(data: bytes) -> None:
    """Cut off, endless, self-containing, too deep, too large, or of opcodes that no value needs."""
    with pytest.raises(BadReply):
        read(data)


@given(st.binary(max_size=200))
def test_noise_is_read_or_refused(data: bytes) -> None:
    """Nothing else can happen."""
    try:
        value = read(data)
    except BadReply:
        return
    assert isinstance(value, str | int | float | list | tuple | None)


@given(PLAIN, st.data())
def test_damaged_replies_are_read_or_refused(value: object, data: st.DataObject) -> None:
    """One byte changed in a real one."""
    raw = bytearray(pickle.dumps(value, 5))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(raw))
    except BadReply:
        return
    assert isinstance(found, str | int | float | list | tuple | None)
