from __future__ import annotations

from typing import Any

import pytest

from support.fake_pywin32 import FakePywin32, WindowsError
from support.until import until

MODULE = "slopn_app.host.single_windows"
NAME = r"\\.\pipe\slopn-window-S-1-5-21"


class World:
    """Pipes of one Windows user: which names are taken, what callers say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake = FakePywin32()
        self.taken = False
        self.messages: list[bytes] = []
        self.fake.answers |= {
            "CreateNamedPipe": self._create,
            "ConnectNamedPipe": self._connect,
            "ReadFile": lambda *_: (0, self.messages.pop(0)),
            "WriteFile": None,
            "DisconnectNamedPipe": None,
            "CloseHandle": None,
            "CallNamedPipe": WindowsError(2),
        }
        self.module: Any = self.fake.load(monkeypatch, MODULE)
        self.single = self.module.WindowsSingle("S-1-5-21")

    def _create(self, *_: object) -> int:
        if self.taken:
            raise WindowsError(5)
        self.taken = True
        return 7

    def _connect(self, *_: object) -> None:
        until(lambda: self.messages, 20.0, "somebody calls")


def test_the_first_takes_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the one instance there may be, on this computer alone; words are heard, nonsense isn't."""
    world = World(monkeypatch)
    heard: list[tuple[str, ...]] = []
    held = world.single.claim("window", ())
    ((path, mode, kind, most, *_),) = world.fake.called("CreateNamedPipe")
    assert (path, mode & 0x80000, kind & 8, most) == (NAME, 0x80000, 8, 1)
    held.listen(heard.append)
    for message in (b"{}", b'["slopn://show/logs"]'):
        world.messages.append(message)
    until(lambda: heard, 20.0, "the words")
    assert heard == [("slopn://show/logs",)]
    held.close()
    world.messages.append(b"[]")
    until(lambda: world.fake.called("CloseHandle"), 20.0, "the end")
    assert heard == [("slopn://show/logs",)]


def test_the_second_hands_its_words_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one message, and sees that they were heard; where nobody is, it says so."""
    world = World(monkeypatch)
    assert not world.single.call("window", ())
    world.taken = True
    world.fake.answers["CallNamedPipe"] = b"+"
    assert world.single.claim("window", ("a", "ü")) is None
    assert world.fake.called("CallNamedPipe")[-1][:2] == [NAME, b'["a", "\\u00fc"]']
