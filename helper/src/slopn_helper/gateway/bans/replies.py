"""Fail2Ban's socket speaks in pickles: its replies as plain values, and our commands. Pure.

A pickle is a program, and Python's unpickler runs it. Here the opcodes are read one by one (pickletools), the few that
make plain values are carried out, and whatever else is in it is refused: nothing can be imported or called. The classes
that Fail2Ban really sends stand for their text alone.
"""

from __future__ import annotations

import pickletools
import struct
from typing import Any, cast

END = b"<F2B_END_COMMAND>"
"""After each command and each reply."""
CLOSE = b"<F2B_CLOSE_COMMAND>" + END

LARGEST = 8 << 20
"""Bytes of a reply: those of 60,000 bans are half of it."""
_DEEPEST = 8
_TEXTS = {
    ("builtins", "str"),
    ("fail2ban.server.ipdns", "IPAddr"),
    # What it answers when it refuses: an exception, of which only the words are of use.
    ("builtins", "Exception"),
    ("builtins", "IndexError"),
    ("builtins", "KeyError"),
    ("builtins", "TypeError"),
    ("builtins", "ValueError"),
    ("fail2ban.exceptions", "UnknownJailException"),
    ("fail2ban.exceptions", "DuplicateJailException"),
}

Value = str | int | float | bool | list[Any] | tuple[Any, ...] | None


class BadReply(Exception):
    """Not a reply of Fail2Ban's; the sentence says what is in it."""


def command(*words: str) -> bytes:
    """A list of words as a pickle of protocol 2, with its end."""
    texts = (word.encode() for word in words)
    body = b"".join(b"X" + struct.pack("<I", len(text)) + text for text in texts)
    return b"\x80\x02](" + body + b"e." + END


def read(data: bytes) -> Value:
    """What a reply says, without its end. Raises `BadReply` for whatever isn't plain values."""
    if len(data) > LARGEST:
        raise BadReply(f"a reply of {len(data)} bytes")
    machine = _Machine()
    try:
        for opcode, argument, at in pickletools.genops(data):
            machine.step(opcode.name, argument)
            if opcode.name == "STOP" and at != len(data) - 1:
                raise BadReply("more than one pickle")
    except (ValueError, IndexError, KeyError, struct.error, UnicodeError, OverflowError, MemoryError) as error:
        raise BadReply(f"no whole pickle: {type(error).__name__}") from error
    return machine.result()


class _Text:
    """A class that stands for the text of its argument."""


_MARK = object()
_CONSTANTS: dict[str, Value] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """The unpickler's stack and memo. Every item lies there with its depth, so that none gets too deep to look at."""

    def __init__(self) -> None:
        self._stack: list[tuple[Any, int]] = []
        self._memo: list[tuple[Any, int]] = []
        self._done = False

    def result(self) -> Value:
        """What is left when all is done."""
        if not self._done or len(self._stack) != 1:
            raise BadReply("a pickle that doesn't end in one value")
        value: Any = self._stack[0][0]
        if isinstance(value, _Text) or value is _MARK:
            raise BadReply("a class instead of a value")
        return cast("Value", value)

    def step(self, name: str, argument: Any) -> None:
        """Carry out one opcode."""
        stack = self._stack
        if name in {"PROTO", "FRAME"}:
            return
        if name in _LITERALS:
            stack.append((argument, 0))
        elif name in _CONSTANTS:
            stack.append((_CONSTANTS[name], 0))
        elif name == "EMPTY_LIST":
            stack.append(([], 1))
        elif name == "MARK":
            stack.append((_MARK, 0))
        elif name in _TUPLES:
            self._tuple(self._pop(_TUPLES[name]))
        elif name == "TUPLE":
            self._tuple(self._since_mark())
        elif name == "APPEND":
            self._extend(self._pop(1))
        elif name == "APPENDS":
            self._extend(self._since_mark())
        elif name == "MEMOIZE":
            self._memo.append(stack[-1])
        elif name in {"BINGET", "LONG_BINGET"}:
            self._get(argument)
        elif name == "GLOBAL":
            module, _, attribute = argument.partition(" ")
            self._class(module, attribute)
        elif name == "STACK_GLOBAL":
            (module, _), (attribute, _) = self._pop(2)
            self._class(module, attribute)
        elif name == "REDUCE":
            self._reduce()
        elif name == "STOP":
            self._done = True
        else:
            raise BadReply(f"the pickle's opcode {name}")

    def _pop(self, count: int) -> list[tuple[Any, int]]:
        if count == 0:
            return []
        items = self._stack[-count:]
        if len(items) < count or any(item is _MARK for item, _ in items):
            raise BadReply("a pickle that takes what isn't there")
        del self._stack[-count:]
        return items

    def _since_mark(self) -> list[tuple[Any, int]]:
        at = len(self._stack) - 1
        while at >= 0 and self._stack[at][0] is not _MARK:
            at -= 1
        if at < 0:
            raise BadReply("a pickle that takes what isn't there")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _values(self, items: list[tuple[Any, int]]) -> tuple[list[Any], int]:
        depth = 1 + max((depth for _, depth in items), default=0)
        if depth > _DEEPEST:
            raise BadReply("values nested too deeply")
        values = [item for item, _ in items]
        if any(isinstance(value, _Text) for value in values):
            raise BadReply("a class instead of a value")
        return values, depth

    def _tuple(self, items: list[tuple[Any, int]]) -> None:
        values, depth = self._values(items)
        self._stack.append((tuple(values), depth))

    def _extend(self, items: list[tuple[Any, int]]) -> None:
        values, depth = self._values(items)
        ((target, before),) = self._pop(1)
        if not isinstance(target, list):
            raise BadReply("a pickle that appends to something else than a list")
        target.extend(values)
        self._stack.append((target, max(depth, before)))

    def _get(self, number: int) -> None:
        item, depth = self._memo[number]
        # A list that stands in two places could hold itself, and a few of them a billion values.
        if not isinstance(item, str | int | float | _Text | None):
            raise BadReply("the same list twice")
        self._stack.append((item, depth))

    def _class(self, module: Any, attribute: Any) -> None:
        if not isinstance(module, str) or not isinstance(attribute, str) or (module, attribute) not in _TEXTS:
            raise BadReply(f"a pickle that asks for {f'{module}.{attribute}'[:80]!r}")
        self._stack.append((_Text(), 0))

    def _reduce(self) -> None:
        (function, _), (arguments, _) = self._pop(2)
        if not isinstance(function, _Text) or not isinstance(arguments, tuple):
            raise BadReply("a pickle that calls something")
        if not all(isinstance(argument, str | int | float) for argument in arguments):
            raise BadReply("a pickle that calls something with more than text")
        self._stack.append((" ".join(str(argument) for argument in arguments), 0))
