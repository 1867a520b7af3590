from __future__ import annotations

import asyncio
import json

import pytest

from slopn_helper.gateway.status import GatewayStatus, Trouble
from slopn_helper.gateway.watch.app import App
from slopn_helper.gateway.watch.metrics import Metrics
from slopn_wire import codec
from support.gateway_status import peer, status


def answer(
    path: str, found: GatewayStatus | None, *, method: str = "GET", private: bool = True
) -> tuple[int, str, bytes]:
    """What a request gets; without a status the gateway can't say."""

    async def ask() -> GatewayStatus:
        if found is None:
            raise RuntimeError("no")
        return found

    return asyncio.run(App(ask, Metrics(), private=private).answer(method, path))


def test_alive_is_whoever_answers() -> None:
    """Also when nothing else is known: a restart wouldn't mend it."""
    assert answer("/healthz", None)[0] == 200


@pytest.mark.parametrize(
    ("serving", "enrolling", "wanted"), [(True, True, 200), (False, True, 503), (True, False, 503)]
)
def test_ready_is_who_serves_with_a_database(*, serving: bool, enrolling: bool, wanted: int) -> None:
    """And it says which of both is missing, without the sentences."""
    found = status(serving=serving, enrolling=enrolling, trouble=(Trouble("database", "At db.example.org."),))
    code, _, body = answer("/readyz", found)
    assert code == wanted
    assert json.loads(body) == {
        "ready": wanted == 200,
        "serving": serving,
        "enrolling": enrolling,
        "trouble": ["database"],
    }


def test_who_cannot_say_is_not_ready() -> None:
    """The figures are told all the same."""
    assert answer("/readyz", None)[0] == 503
    assert answer("/status", None)[0] == 503
    code, kind, body = answer("/metrics", None)
    assert (code, b"slopn_gateway_up 0.0" in body) == (200, True)
    assert kind.startswith("text/plain")


def test_all_of_it_is_on_the_private_socket_alone() -> None:
    """Loopback is every local user's."""
    found = status(peer("a", handshake=1.0))
    code, _, body = answer("/status", found)
    assert code == 200
    assert codec.decode(body, GatewayStatus) == found
    assert answer("/status", found, private=False)[0] == 404
    assert answer("/metrics", found, private=False)[0] == 200


def test_what_isnt_there_and_what_isnt_a_question() -> None:
    """Nothing is ever changed from here."""
    assert answer("/", status())[0] == 404
    assert answer("/metrics/", status())[0] == 404
    assert answer("/status", status(), method="POST")[0] == 405
