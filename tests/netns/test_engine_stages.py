"""The engine with threads of their own for the cipher, which it takes by itself only where there are cores for them."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import socket
import threading
from pathlib import Path

import pytest

from bench import engines, link
from support.netns import Namespace

SIZE = 8 << 20
PORT = 4242


def _receive(namespace: Namespace, address: str, ready: threading.Event, digests: list[str]) -> None:
    with namespace.entered(), socket.create_server((address, PORT)) as server:
        ready.set()
        connection, _ = server.accept()
        digest = hashlib.sha256()
        with connection:
            while data := connection.recv(1 << 16):
                digest.update(data)
        digests.append(digest.hexdigest())


@pytest.mark.parametrize("stages", ["1", "3"])
def test_what_goes_through_the_stages_arrives_whole_and_in_order(stages: str) -> None:
    """8 MiB arrive as they were sent, and it was the stages that carried them; then they go back."""
    data = random.Random(stages).randbytes(SIZE)
    engine = dataclasses.replace(engines.ours(), env={"SLOPN_ENGINE_STAGES": stages})
    with link.ends() as ends, link.tunnel(ends, engine) as tunnel:
        for pid in tunnel.pids:
            names = {path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/comm")}
            assert {"wg-send", "wg-deliver", "wg-seal-0", f"wg-open-{int(stages) - 1}"} <= names
        for here, there, address in (
            (ends.client, ends.server, link.INSIDE[1]),
            (ends.server, ends.client, link.INSIDE[0]),
        ):
            ready, digests = threading.Event(), list[str]()
            receiver = threading.Thread(target=_receive, args=(there, address, ready, digests), daemon=True)
            receiver.start()
            assert ready.wait(20)
            with here.entered(), socket.create_connection((address, PORT), timeout=60) as connection:
                connection.sendall(data)
            receiver.join(60)
            assert digests == [hashlib.sha256(data).hexdigest()]
