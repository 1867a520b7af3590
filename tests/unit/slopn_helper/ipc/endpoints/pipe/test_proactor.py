from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

from slopn_helper.ipc.endpoints.pipe.proactor import Pipe, ProactorPipes

ASYNCIO = Path(asyncio.__file__).parent


def parameters(module: str, owner: str, method: str) -> tuple[list[str], int]:
    """Of a method in asyncio's source, which is there on every platform: its names, and how many have a default."""
    tree = ast.parse((ASYNCIO / module).read_text(encoding="utf-8"))
    (found,) = (
        function
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == owner
        for function in node.body
        if isinstance(function, ast.FunctionDef) and function.name == method
    )
    return [each.arg for each in found.args.args], len(found.args.defaults)


def test_this_python_still_has_the_parts_without_a_name() -> None:
    """asyncio's methods that are called here take what they are given."""
    assert parameters("windows_events.py", "IocpProactor", "accept_pipe") == (["self", "pipe"], 0)
    assert parameters("windows_events.py", "IocpProactor", "send") == (["self", "conn", "buf", "flags"], 1)
    names, defaults = parameters("proactor_events.py", "BaseProactorEventLoop", "_make_duplex_pipe_transport")
    assert names[:3] == ["self", "sock", "protocol"]
    assert len(names) - defaults == 3


class FakeProactor:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def accept_pipe(self, pipe: Pipe) -> str:
        """Named as asyncio's."""
        self.asked.append(("accept", pipe))
        return "accepted"

    def send(self, conn: Pipe, buf: bytes) -> str:
        """Named as asyncio's."""
        self.asked.append(("send", conn, buf))
        return "sent"


def test_the_running_loop_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each method leads to its counterpart, with the pipe itself."""
    pipe = Pipe(5, lambda _: None)
    proactor = FakeProactor()
    protocol = asyncio.Protocol()

    class Loop:
        _proactor = proactor

        def _make_duplex_pipe_transport(self, *arguments: object) -> object:
            return arguments

    monkeypatch.setattr(asyncio, "get_running_loop", Loop)
    pipes = ProactorPipes()
    answers: list[object] = [pipes.accept(pipe), pipes.send(pipe, b"x"), pipes.transport(pipe, protocol)]
    assert answers == ["accepted", "sent", (pipe, protocol)]
    assert proactor.asked == [("accept", pipe), ("send", pipe, b"x")]


def test_a_pipe_is_closed_once() -> None:
    """Its number may be another handle's afterwards."""
    closed: list[int] = []
    pipe = Pipe(5, closed.append)
    assert pipe.fileno() == 5
    pipe.close()
    pipe.close()
    assert closed == [5]
    with pytest.raises(ValueError, match="closed pipe"):
        pipe.fileno()
