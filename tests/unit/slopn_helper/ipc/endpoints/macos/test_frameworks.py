"""The calls as data, and their order. What macOS answers is seen on macOS alone."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from slopn_helper.ipc.endpoints.macos import frameworks
from slopn_helper.ipc.endpoints.macos.frameworks import FUNCTIONS, AuditTokenStruct, Frameworks
from slopn_helper.ipc.endpoints.macos.peer import AuditToken

TOKEN = AuditToken(bytes(range(32)), uid=501, pid=12345, session=1, version=2)


def width(kind: Any) -> int:
    """Bytes of an argument; 0 for void."""
    return ctypes.sizeof(kind) if kind is not None else 0


def test_each_function_has_the_types_of_its_header() -> None:
    """Bytes of the result, then of each argument, as the headers have them for 64-bit systems."""
    widths = {
        name: [width(function.result), *map(width, function.arguments)]
        for functions in FUNCTIONS.values()
        for name, function in functions.items()
    }
    assert widths == {
        "CFDataCreate": [8, 8, 8, 8],
        "CFDictionaryCreate": [8, 8, 8, 8, 8, 8, 8],
        "CFStringCreateWithCString": [8, 8, 8, 4],
        "CFRelease": [0, 8],
        "SecCodeCopyGuestWithAttributes": [4, 8, 8, 4, 8],
        "SecRequirementCreateWithString": [4, 8, 4, 8],
        "SecCodeCheckValidity": [4, 8, 4, 8],
        "proc_pidpath_audittoken": [4, 8, 8, 4],
    }


def test_an_audit_token_is_eight_numbers() -> None:
    """audit_token_t."""
    assert ctypes.sizeof(AuditTokenStruct) == 32
    assert list(AuditTokenStruct.from_buffer_copy(TOKEN.raw).val)[:2] == [0x03020100, 0x07060504]


class Function:
    """A C function that checks its arguments by its argtypes, as ctypes does."""

    def __init__(self, mac: FakeMac, name: str) -> None:
        self.mac = mac
        self.name = name
        self.restype: Any = None
        self.argtypes: Any = ()

    def __call__(self, *arguments: Any) -> Any:
        """Checks, then does it."""
        assert len(arguments) == len(self.argtypes)
        for kind, argument in zip(self.argtypes, arguments, strict=True):
            kind.from_param(argument)
        return getattr(self.mac, self.name)(*arguments)


class FakeMac:
    """CoreFoundation's objects as numbers, with one running program, and who still holds them."""

    def __init__(self) -> None:
        self.held: dict[int, object] = {}
        self.status: dict[str, int] = {}
        self.full = False
        self.path = "/Applications/SloPN.app/Contents/MacOS/slopn"
        self.signed_as = "ours"
        self.symbols = {
            "kSecGuestAttributeAudit": ctypes.c_void_p(0x5EC),
            "kCFTypeDictionaryKeyCallBacks": ctypes.c_void_p(1),
            "kCFTypeDictionaryValueCallBacks": ctypes.c_void_p(2),
        }
        self.asked: list[tuple[object, str]] = []

    def load(self, path: str) -> Any:
        """A library with the functions of its table and no others."""
        return type("Library", (), {name: Function(self, name) for name in FUNCTIONS[path]})()

    def new(self, value: object) -> int | None:
        """A new object."""
        if self.full:
            return None
        number = 0x1_0000_0000 + len(self.held)  # wider than an int
        self.held[number] = value
        return number

    def CFDataCreate(self, _: None, data: bytes, length: int) -> int | None:  # noqa: N802
        """The bytes."""
        return self.new(data[:length])

    def CFStringCreateWithCString(self, _: None, text: bytes, encoding: int) -> int | None:  # noqa: N802
        """UTF-8."""
        assert encoding == 0x08000100
        return self.new(text.decode())

    def CFDictionaryCreate(self, _: None, keys: Any, values: Any, count: int, on_key: int, on_value: int) -> int | None:  # noqa: N802
        """One entry, whose key and value it holds as well."""
        assert count == 1
        assert on_key == ctypes.addressof(self.symbols["kCFTypeDictionaryKeyCallBacks"])
        assert on_value == ctypes.addressof(self.symbols["kCFTypeDictionaryValueCallBacks"])
        return self.new({keys[0]: self.held[values[0]]})

    def CFRelease(self, pointer: ctypes.c_void_p) -> None:  # noqa: N802
        """Once each."""
        assert pointer.value is not None
        self.held[pointer.value] = None

    def SecCodeCopyGuestWithAttributes(self, host: None, attributes: Any, flags: int, made: Any) -> int:  # noqa: N802
        """The process of the token."""
        assert host is None
        assert flags == 0
        made._obj.value = self.new(self.held[attributes.value])
        return self.status.get("guest", 0)

    def SecRequirementCreateWithString(self, text: Any, flags: int, made: Any) -> int:  # noqa: N802
        """The requirement."""
        assert flags == 0
        made._obj.value = self.new(self.held[text.value])
        return self.status.get("requirement", 0)

    def SecCodeCheckValidity(self, code: Any, flags: int, requirement: Any) -> int:  # noqa: N802
        """errSecCSReqFailed unless it asks for the right signature."""
        assert flags == 0
        wanted = str(self.held[requirement.value])
        self.asked.append((self.held[code.value], wanted))
        return 0 if wanted == self.signed_as else -67050

    def proc_pidpath_audittoken(self, token: Any, buffer: Any, size: int) -> int:
        """How long the path is; 0 for none."""
        assert bytes(token._obj) == TOKEN.raw
        assert size == 4096
        buffer.value = self.path.encode()
        return len(self.path.encode())


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> FakeMac:
    """A macOS whose global symbols are found."""
    made = FakeMac()

    def in_dll(_library: object, name: str) -> ctypes.c_void_p:
        return made.symbols[name]

    monkeypatch.setattr(frameworks, "_symbol", in_dll)
    return made


def test_the_signature_of_the_process_is_checked(mac: FakeMac) -> None:
    """By its audit token, against the requirement; and everything that was made is released."""
    loaded = Frameworks(mac.load)
    assert loaded.meets(TOKEN, "ours")
    assert not loaded.meets(TOKEN, "theirs")
    assert mac.asked == [({0x5EC: TOKEN.raw}, "ours"), ({0x5EC: TOKEN.raw}, "theirs")]
    assert set(mac.held.values()) == {None}


@pytest.mark.parametrize("step", ["guest", "requirement"])
def test_what_macos_does_not_know_is_not_ours(mac: FakeMac, step: str) -> None:
    """The process is gone, or the requirement makes no sense."""
    mac.status[step] = -67062
    assert not Frameworks(mac.load).meets(TOKEN, "ours")
    assert mac.asked == []


def test_without_memory_nothing_is_ours(mac: FakeMac) -> None:
    """NULL goes into no call."""
    mac.full = True
    assert not Frameworks(mac.load).meets(TOKEN, "ours")


def test_the_path_of_the_program(mac: FakeMac) -> None:
    """Of that very process."""
    loaded = Frameworks(mac.load)
    assert loaded.image(TOKEN) == mac.path
    mac.path = "/Users/ann/Pröğramme/x"
    assert loaded.image(TOKEN) == mac.path
    mac.path = ""
    assert loaded.image(TOKEN) is None
